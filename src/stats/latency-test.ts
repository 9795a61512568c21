import { slowerEvidence } from "./latency-evidence.js";
import { requireAlpha, type Verdict } from "./verdict.js";

/** Latencies of the same requests: `candidateMs[i]` and `controlMs[i]`. */
export interface LatencySample {
  /** Infinity where the candidate did not answer in time; never NaN. */
  candidateMs: Float64Array;
  controlMs: Float64Array;
  /** Pairs of a sealed selection still to come, at most; `Infinity` for a stream. */
  remaining: number;
}

export interface LatencyJudgement {
  verdict: Verdict;
  /**
   * ln of the evidence that the candidate is slower than allowed, and that it is faster; a verdict needs
   * `neededEvidence`.
   */
  evidence: { slower: number; faster: number };
  neededEvidence: number;
  pairs: number;
}

/**
 * Judges "the candidate's quantile is at most (1 + `regression`) times the control's", at any time and as often as
 * wanted. Whatever the two distributions, and however a pair's latencies hang together: with the candidate's quantile
 * exactly at that bound a fail is ever said with probability `alpha` at most, and so is a pass. The first verdict
 * stays.
 *
 * - `fail` rejects "at most", `pass` rejects "at least" ({@link slowerEvidence}).
 * - The quantile is that of the stream the pairs come from, as long as it does not drift, or of the whole sealed
 *   selection.
 * - A look sorts all pairs so far: look at batches, not at each pair. Not looking costs no validity.
 * - Of p99 little can be said below some 300 pairs, where the largest values may all be chance.
 *
 * @param options.quantile 0.99 for p99
 * @param options.regression fraction: 0.1 allows 10 % more than the control
 * @throws RangeError when an option is out of range, latencies are NaN or negative, or the sides differ in length
 */
export function createLatencyTest(options: { quantile: number; regression: number; alpha: number }): {
  look(sample: LatencySample): LatencyJudgement;
} {
  const { quantile, regression, alpha } = options;
  if (!(quantile > 0 && quantile < 1))
    throw new RangeError(`a quantile lies between 0 and 1, not at ${quantile}`);
  if (!(regression > -1 && regression < Infinity)) {
    throw new RangeError(`an allowed regression is a fraction above -1, not ${regression}`);
  }
  requireAlpha(alpha);
  const slower = slowerEvidence(quantile);
  const neededEvidence = -Math.log(alpha);
  let last: LatencyJudgement | null = null;
  return {
    look({ candidateMs, controlMs, remaining }) {
      if (last !== null && last.verdict !== "inconclusive") return last;
      requireLatencies(candidateMs, controlMs);
      const allowedMs = controlMs.map((ms) => ms * (1 + regression));
      const evidence = {
        slower: slower({ suspectsMs: candidateMs, referencesMs: allowedMs, remaining }),
        faster: slower({ suspectsMs: allowedMs, referencesMs: candidateMs, remaining }),
      };
      const verdict = verdictOf(evidence, neededEvidence);
      last = { verdict, evidence, neededEvidence, pairs: candidateMs.length };
      return last;
    },
  };
}

function verdictOf({ slower, faster }: LatencyJudgement["evidence"], needed: number): Verdict {
  if (slower >= needed) return "fail";
  return faster >= needed ? "pass" : "inconclusive";
}

/** @throws RangeError when latencies are NaN or negative, or the sides differ in length */
export function requireLatencies(candidateMs: Float64Array, controlMs: Float64Array): void {
  if (candidateMs.length !== controlMs.length) {
    throw new RangeError(
      `latencies come in pairs: ${candidateMs.length} of the candidate, ${controlMs.length} of the control`,
    );
  }
  for (const side of [candidateMs, controlMs]) {
    const wrong = side.find((ms) => !(ms >= 0));
    if (wrong !== undefined) throw new RangeError(`a latency is 0 ms or more, not ${wrong}`);
  }
}
