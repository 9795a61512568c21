/**
 * Work that can wait: it is done in the gaps between the event loop's turns, when requests have gone out and answers
 * have been read. So what a candidate's answers take to judge costs its lane nothing, and is not taken for latency.
 */
export interface Gaps {
  /** Resolves when it is done. @throws what `act` throws */
  run(act: () => void): Promise<void>;
}

/** Longer than this nothing that arrives is kept waiting, but for one that takes longer by itself. */
const sliceMs = 0.5;

export function createGaps(): Gaps {
  const waiting: (() => void)[] = [];
  let begun = false;

  function slice(): void {
    const untilMs = performance.now() + sliceMs;
    do waiting.shift()?.();
    while (waiting.length > 0 && performance.now() < untilMs);
    begun = waiting.length > 0;
    if (begun) setImmediate(slice);
  }

  return {
    run: (act) =>
      new Promise((resolve, reject) => {
        waiting.push(() => {
          try {
            act();
            resolve();
          } catch (error) {
            reject(error);
          }
        });
        if (begun) return;
        begun = true;
        // A turn later: what is to be sent in this one is sent at its end.
        setImmediate(() => setImmediate(slice));
      }),
  };
}
