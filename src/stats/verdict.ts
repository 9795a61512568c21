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
 * Each criterion's share of α, so that all that is said of all of them is right with probability 1 − α (Bonferroni).
 *
 * @param weights importance of each criterion, above 0; equal ones share equally
 * @throws RangeError unless 0 < alpha < 1 and every weight is a positive number
 */
export function shareAlpha<Name extends string>(
  alpha: number,
  weights: Readonly<Record<Name, number>>,
): Record<Name, number> {
  requireAlpha(alpha);
  const entries = Object.entries<number>(weights);
  for (const [name, weight] of entries) {
    if (!(weight > 0 && weight < Infinity))
      throw new RangeError(`the weight of ${name} must be positive, not ${weight}`);
  }
  const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
  return Object.fromEntries(entries.map(([name, weight]) => [name, (alpha * weight) / total])) as Record<
    Name,
    number
  >;
}

/** @throws RangeError unless 0 < alpha < 1 */
export function requireAlpha(alpha: number): void {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha must lie between 0 and 1, not be ${alpha}`);
}
