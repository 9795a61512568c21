/** Works remembered at most; one that is forgotten comes up again by its job. */
const rememberedMax = 10_000;

/** Who may go on with a candidate's work in this process. */
export interface Turns {
  /**
   * Takes a place for a candidate, or returns null when it holds its share already: then the work is to come up
   * again later, so that a candidate that hangs leaves places to the others.
   *
   * @param atATime works of the candidate whose turn it may be at once; default 1
   */
  enter(candidate: string, atATime?: number): Place | null;
  /** Keeps in mind a work that found no place. @returns how many are before it, itself included */
  remember(candidate: string, workId: bigint): number;
  /** The oldest work in mind, to go on with at once when a work of its candidate has ended. */
  recall(candidate: string): bigint | undefined;
}

/** A place in the process; its work may have to wait for its turn. */
export interface Place {
  /** Resolves when it is this work's turn. @throws the signal's reason */
  turn(signal: AbortSignal): Promise<void>;
  /** Gives the place, and the turn if it had come, to the next. */
  leave(): void;
}

/** For works that are limited by other means: all have their turn at once. */
export const everyTurn: Turns = {
  enter: () => ({ turn: () => Promise.resolve(), leave: () => {} }),
  remember: () => 0,
  recall: () => undefined,
};

interface Holding {
  places: number;
  /** As the newest that entered said. */
  atATime: number;
  running: number;
  /** Each begins a work whose turn has come. */
  waiting: Set<() => void>;
}

/**
 * @param places works that the process has in hand at most, running or waiting. A candidate may have as many of them
 * as are free, and always one: the dynamic threshold of shared-memory switches (Choudhury and Hahne, 1998).
 */
export function createTurns(places: number): Turns {
  const held = new Map<string, Holding>();
  const remembered = new Map<string, Set<bigint>>();
  let taken = 0;
  let inMind = 0;

  function placeOf(candidate: string, own: Holding): Place {
    let state: "waiting" | "running" | "left" = "waiting";
    return {
      turn: (signal) =>
        new Promise((resolve, reject) => {
          signal.throwIfAborted();
          const begin = () => {
            signal.removeEventListener("abort", giveUp);
            own.waiting.delete(begin);
            own.running += 1;
            state = "running";
            resolve();
          };
          const giveUp = () => {
            own.waiting.delete(begin);
            reject(signal.reason);
          };
          if (own.running < own.atATime) return begin();
          signal.addEventListener("abort", giveUp, { once: true });
          own.waiting.add(begin);
        }),
      leave: () => {
        if (state === "left") return;
        if (state === "running") own.running -= 1;
        state = "left";
        own.places -= 1;
        taken -= 1;
        const [next] = own.waiting;
        if (own.running < own.atATime) next?.();
        if (own.places === 0) held.delete(candidate);
      },
    };
  }

  return {
    enter(candidate, atATime = 1) {
      const own = held.get(candidate) ?? { places: 0, atATime, running: 0, waiting: new Set() };
      if (own.places > 0 && own.places >= places - taken) return null;
      held.set(candidate, own);
      own.atATime = atATime;
      own.places += 1;
      taken += 1;
      return placeOf(candidate, own);
    },

    remember(candidate, workId) {
      const works = remembered.get(candidate) ?? new Set();
      if (works.has(workId)) return works.size;
      if (inMind >= rememberedMax) return inMind;
      remembered.set(candidate, works.add(workId));
      inMind += 1;
      return works.size;
    },

    recall(candidate) {
      const works = remembered.get(candidate);
      const [oldest] = works ?? [];
      if (works === undefined || oldest === undefined) return undefined;
      works.delete(oldest);
      inMind -= 1;
      if (works.size === 0) remembered.delete(candidate);
      return oldest;
    },
  };
}
