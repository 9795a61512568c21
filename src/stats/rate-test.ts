import { allowedEvents, evidenceOver, evidenceUnder, type RateCounts } from "./evidence.js";
import { requireAlpha, type Verdict } from "./verdict.js";

export interface RateJudgement {
  verdict: Verdict;
  /** Nothing that is still to be read could change it. */
  certain: boolean;
  /** ln of the evidence that the rate is over the limit, and under it; a verdict needs `neededEvidence`. */
  evidence: { over: number; under: number };
  neededEvidence: number;
  /** The counts on which the verdict fell, or the newest without one. */
  counts: RateCounts;
}

/**
 * Judges a rate against a limit, at any time and as often as wanted: with the rate exactly at the limit, a fail is
 * ever said with probability `alpha` at most, and so is a pass by the test. The first verdict stays.
 *
 * - `fail` rejects "rate ≤ limit", `pass` rejects "rate ≥ limit" ({@link evidenceOver}, {@link evidenceUnder}).
 * - Of a sealed selection enough may be read to know: a rate that is then known not to exceed the limit passes, an
 *   equal one too, which no test could tell.
 * - No trials: inconclusive.
 *
 * @param limit fraction, 0 to 1: the largest rate that is allowed
 * @throws RangeError when the limit or alpha is out of range
 */
export function createRateTest(options: { limit: number; alpha: number }): {
  /** Counts so far, of everything read in its order; never fewer than before. */
  look(counts: RateCounts): RateJudgement;
} {
  const { limit, alpha } = options;
  if (!(limit >= 0 && limit <= 1)) throw new RangeError(`a limit is a fraction from 0 to 1, not ${limit}`);
  requireAlpha(alpha);
  const over = evidenceOver(limit);
  const under = evidenceUnder(limit);
  const neededEvidence = -Math.log(alpha);
  let last: RateJudgement | null = null;
  return {
    look(counts) {
      requireCounts(counts, last?.counts ?? null);
      if (last !== null && last.verdict !== "inconclusive") return last;
      const evidence = { over: over(counts), under: under(counts) };
      const known = knownVerdict(limit, counts);
      const verdict = known ?? testedVerdict(evidence, neededEvidence);
      last = { verdict, certain: known !== null, evidence, neededEvidence, counts };
      return last;
    },
  };
}

/** The verdict that whatever remains cannot change, or null. */
export function knownVerdict(limit: number, { trials, events, remaining }: RateCounts): Verdict | null {
  if (trials === 0 || remaining === Infinity) return null;
  const allowed = allowedEvents(limit, trials + remaining);
  if (events > allowed) return "fail";
  return events + remaining <= allowed ? "pass" : null;
}

function testedVerdict(evidence: RateJudgement["evidence"], needed: number): Verdict {
  if (evidence.over >= needed) return "fail";
  return evidence.under >= needed ? "pass" : "inconclusive";
}

function requireCounts(now: RateCounts, before: RateCounts | null): void {
  const { trials, events, remaining } = now;
  const sound =
    Number.isSafeInteger(trials) && Number.isSafeInteger(events) && events >= 0 && events <= trials;
  if (!sound || !(remaining === Infinity || (Number.isSafeInteger(remaining) && remaining >= 0))) {
    throw new RangeError(`not counts of a rate: ${events} of ${trials}, ${remaining} remaining`);
  }
  if (before !== null && (trials < before.trials || events < before.events)) {
    throw new RangeError(
      `counts only grow: ${events} of ${trials} after ${before.events} of ${before.trials}`,
    );
  }
}
