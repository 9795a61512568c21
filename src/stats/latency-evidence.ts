import { type Evidence, evidenceOver, evidenceUnder } from "./evidence.js";
import { visitTails } from "./pair-tails.js";

/**
 * Latencies of the same requests: `suspectsMs[i]` belongs with `referencesMs[i]`. May hold Infinity (never answered),
 * never NaN.
 */
export interface LatencyPairs {
  suspectsMs: Float64Array;
  referencesMs: Float64Array;
  /** Pairs of a sealed selection still to come, at most; `Infinity` for a stream. */
  remaining: number;
}

/** Half goes to the comparison of the two sides, which pairing makes sharp; the rest to where the bar lies. */
const logWeights = { sign: Math.log(1 / 2), bar: Math.log(1 / 4) };

/**
 * ln of the evidence against "the suspects' quantile is at most the references' quantile", 0 or less when there is
 * none.
 *
 * Let t be the references' true quantile (the smallest value with a share of at least q at or below it). If the
 * hypothesis is true, then at this bar t a share of at most 1 − q of the suspects is over it, a share of at least 1 −
 * q of the references is at or over it, and so suspects alone over it are no more frequent than references alone.
 * Evidence against each of the three is that of a rate's test, the third one's being a sign test among the pairs that
 * differ; a weighted mean of the three is evidence too. t is not known, so the least over all bars is taken: it is
 * never more than that at t. So the guarantee of a rate's test carries over with no approximation, no quantile is
 * estimated, and nothing is assumed of the distributions or of how the two sides hang together. Of a sealed selection it
 * is not known how many of the remaining pairs will differ: for the sign test all are taken to (see {@link evidenceOver}).
 *
 * Sources: Howard & Ramdas, "Sequential estimation of quantiles", Bernoulli 28 (2022), arXiv 1906.09712 (indicators
 * at a bar, uniformly in time); Lindon, Sanden, Shirikian, "Rapid regression detection in software deployments
 * through sequential testing", arXiv 2205.14762; the sign test is Arbuthnot's (1710). Taking the least over bars is
 * the union of hypotheses.
 *
 * @param q the quantile: 0.99
 */
export function slowerEvidence(q: number): (pairs: LatencyPairs) => number {
  const beyond = 1 - q;
  const suspectsOver = evidenceOver(beyond);
  const referencesUnder = evidenceUnder(beyond);
  const sign = evidenceOver(0.5);
  return ({ suspectsMs, referencesMs, remaining }) => {
    const trials = suspectsMs.length;
    if (trials === 0) return 0;
    let least = Infinity;
    visitTails(suspectsMs, referencesMs, ({ suspects, references, both }) => {
      const over = logWeights.bar + suspectsOver({ trials, events: suspects, remaining });
      // Further down ever more suspects are over the bar: no bar there can say less than this.
      if (over >= least) return false;
      const under = logWeights.bar + referencesUnder({ trials, events: references, remaining });
      const alone = logWeights.sign + signEvidence(sign, suspects - both, references - both, remaining);
      least = Math.min(least, logOfSum(over, under, alone));
      return true;
    });
    return least;
  };
}

function signEvidence(sign: Evidence, suspects: number, references: number, remaining: number): number {
  return sign({ trials: suspects + references, events: suspects, remaining });
}

function logOfSum(...logs: number[]): number {
  const largest = Math.max(...logs);
  if (Math.abs(largest) === Infinity) return largest;
  return largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0));
}
