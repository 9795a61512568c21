import type { Imbalance } from "../store/types.js";

/** What does not come out, as a sentence part: `received: 3 requests are in no state`. */
export function imbalanceText({ sum, candidate, run, offBy }: Imbalance): string {
  const n = Math.abs(offBy);
  const what = sum === "received" ? (n === 1 ? "request" : "requests") : n === 1 ? "capture" : "captures";
  const are = n === 1 ? "is" : "are";
  const off = offBy > 0 ? `${n} ${what} ${are} in no state` : `${n} ${what} ${are} counted twice`;
  const of = candidate === null ? "" : ` of ${candidate}, run ${run}`;
  return `${sum}${of}: ${off}`;
}
