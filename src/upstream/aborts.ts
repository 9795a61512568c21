/**
 * Tells many of the abort of one signal by one listener of it: a listener more and one less for every request would
 * cost more than the request's head.
 */
export interface Aborts {
  /** To be taken back with {@link off}. Nothing is told of a signal that is aborted already. */
  on(signal: AbortSignal, act: () => void): void;
  off(signal: AbortSignal, act: () => void): void;
}

export function createAborts(): Aborts {
  const known = new WeakMap<AbortSignal, Set<() => void>>();
  return {
    on(signal, act) {
      const acts = known.get(signal);
      if (acts !== undefined) {
        acts.add(act);
        return;
      }
      const first = new Set([act]);
      known.set(signal, first);
      signal.addEventListener(
        "abort",
        () => {
          for (const each of first) each();
        },
        { once: true },
      );
    },
    off: (signal, act) => known.get(signal)?.delete(act),
  };
}
