import { elementCount } from "../tensor/dtype.js";
import type { Datatype, Tensor } from "../tensor/tensor.js";
import { cosineSimilarity } from "./cosine.js";
import type { Measured } from "./measure.js";
import type { OutputPolicy } from "./policy.js";
import { judgeStatistic } from "./statistic.js";
import type { OutputComparison } from "./types.js";
import { measureUlps } from "./ulp.js";

/** What a policy's rule makes of the values of an output. NaN and infinities are judged apart. */
export type Ruling = Pick<
  OutputComparison,
  "mismatches" | "statistic" | "atolToPass" | "maxUlps" | "cosine"
> & {
  /** Whether the values differ by more than the policy allows. */
  isBeyond: boolean;
};

const same = { mismatches: 0, maxUlps: 0 };

/**
 * Applies a rule to two tensors of one shape. By elements: beyond when a larger share of them mismatches than
 * `mismatchFraction`. By a statistic: as {@link judgeStatistic} says; `mismatches` then still counts single elements.
 * By cosine: when the similarity is below the policy's; then all elements mismatch. BYTES have no numbers to reckon
 * with: their elements are counted, whatever the rule.
 *
 * @param primary of the same datatype as the candidate, if only by a cast
 * @param ulpDatatype the datatype whose units count under `ulp`
 */
export function applyRule(
  primary: Tensor,
  candidate: Tensor,
  policy: OutputPolicy,
  measured: Measured,
  ulpDatatype: Datatype,
): Ruling {
  const elements = elementCount(primary.shape);
  const { mismatches, nonFiniteMismatches, cosine } = measured;
  // Nearly always, answers are the same; there is then nothing more to go through.
  const isSame = measured.maxAbs === 0;
  if (primary.datatype === "BYTES") return byElements(mismatches, cosine, policy, elements);
  switch (policy.rule) {
    case "numpy":
    case "polygraphy": {
      const { statistic: name = "elementwise" } = policy;
      if (name === "elementwise") return byElements(mismatches, cosine, policy, elements);
      if (isSame) return { mismatches, cosine, statistic: { name, abs: 0, rel: 0 }, isBeyond: false };
      return { mismatches, cosine, ...judgeStatistic(primary, candidate, name, policy) };
    }
    case "ulp": {
      const ulps = isSame ? same : measureUlps(primary, candidate, policy.maxUlps, ulpDatatype);
      const counted = ulps.mismatches + nonFiniteMismatches;
      return { ...byElements(counted, cosine, policy, elements), maxUlps: ulps.maxUlps };
    }
    case "cosine": {
      const similarity = isSame ? 1 : cosineSimilarity(primary, candidate);
      const isBeyond = similarity < policy.minCosine;
      return { mismatches: isBeyond ? elements : nonFiniteMismatches, cosine: similarity, isBeyond };
    }
    case "exact":
    case "bytes":
    case "json":
      return byElements(mismatches, cosine, policy, elements);
  }
}

function byElements(
  mismatches: number,
  cosine: number | null,
  policy: OutputPolicy,
  elements: number,
): Ruling {
  const allowed = "mismatchFraction" in policy ? (policy.mismatchFraction ?? 0) : 0;
  // A quotient, not a product: 0.29 · 100 is less than 29. Of no elements the share is NaN, which is not beyond.
  return { mismatches, cosine, isBeyond: mismatches / elements > allowed };
}
