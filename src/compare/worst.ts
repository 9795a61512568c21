import { type WorstAt, worstMax } from "./kernel.js";

/** The worst elements of a pass so far. */
export interface WorstList {
  /** Worst first; among equals, lowest index first. */
  readonly elements: WorstAt[];
  /** Errors up to this, of elements further on, cannot enter the list any more. */
  floor: number;
}

export function newWorstList(): WorstList {
  return { elements: [], floor: 0 };
}

/** Puts an element where it belongs in the list, if it does. */
export function offerWorst(list: WorstList, index: number, absError: number): void {
  const { elements } = list;
  const element = { index, absError };
  let at = elements.length;
  while (at > 0 && isWorse(element, elements[at - 1]!)) at--;
  if (at === worstMax) return;
  if (at === elements.length) elements.push(element);
  else elements.splice(at, 0, element);
  if (elements.length > worstMax) elements.pop();
  if (elements.length < worstMax) return;
  const last = elements[worstMax - 1]!.absError;
  list.floor = Number.isNaN(last) ? Infinity : last;
}

function isWorse(a: WorstAt, b: WorstAt): boolean {
  if (Object.is(a.absError, b.absError)) return a.index < b.index;
  return Number.isNaN(a.absError) || a.absError > b.absError;
}
