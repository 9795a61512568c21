import { type WorstAt, worstMax } from "./kernel.js";

/** Collects the worst elements of a pass that goes by ascending index. */
export interface WorstList {
  /** Finite errors up to this cannot enter the list any more. */
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
      const rank = rankOf(absError);
      let at = list.length;
      while (at > 0 && rankOf(list[at - 1]!.absError) < rank) at--;
      if (at === worstMax) return;
      list.splice(at, 0, { index, absError });
      if (list.length > worstMax) list.pop();
      if (list.length === worstMax) floor = rankOf(list[worstMax - 1]!.absError);
    },
    toArray: () => list,
  };
}

/** Orders errors with NaN beyond Infinity. */
function rankOf(absError: number): number {
  if (Number.isNaN(absError)) return Infinity;
  return absError === Infinity ? Number.MAX_VALUE : absError;
}
