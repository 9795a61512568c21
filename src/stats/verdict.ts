/** What can be said under a limit: it holds, it does not, or nothing yet. */
export type Verdict = "pass" | "fail" | "inconclusive";

/**
 * Of several criteria: any fail is a fail, else any inconclusive is inconclusive. Nothing judged is inconclusive,
 * never a pass.
 */
export function combineVerdicts(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes("fail")) return "fail";
  return verdicts.length === 0 || verdicts.includes("inconclusive") ? "inconclusive" : "pass";
}

/**
 * The share of α of each of so many criteria, so that all that is said of all of them is right with probability 1 − α
 * (Bonferroni).
 *
 * @throws RangeError unless 0 < alpha < 1
 */
export function shareAlpha(alpha: number, criteria: number): number {
  requireAlpha(alpha);
  return alpha / Math.max(1, criteria);
}

/** @throws RangeError unless 0 < alpha < 1 */
export function requireAlpha(alpha: number): void {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha must lie between 0 and 1, not be ${alpha}`);
}
