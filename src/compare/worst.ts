import { type WorstAt, worstMax } from "./kernel.js";

/** Collects the worst elements of a pass. */
export interface WorstList {
  /** Errors up to this, of elements further on, cannot enter the list any more. */
  readonly floor: number;
  offer(index: number, absError: number): void;
  /** Worst first; among equals, lowest index first. */
  toArray(): WorstAt[];
}

export function createWorstList(): WorstList {
  const list: WorstAt[] = [];
  let floor = 0;
  return {
    get floor() {
      return floor;
    },
    offer(index, absError) {
      const element = { index, absError };
      let at = list.length;
      while (at > 0 && isWorse(element, list[at - 1]!)) at--;
      if (at === worstMax) return;
      list.splice(at, 0, element);
      if (list.length > worstMax) list.pop();
      if (list.length < worstMax) return;
      const last = list[worstMax - 1]!.absError;
      floor = Number.isNaN(last) ? Infinity : last;
    },
    toArray: () => list,
  };
}

function isWorse(a: WorstAt, b: WorstAt): boolean {
  if (Object.is(a.absError, b.absError)) return a.index < b.index;
  return Number.isNaN(a.absError) || a.absError > b.absError;
}
