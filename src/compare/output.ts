import { elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { castPair, coarser } from "./cast.js";
import { applyRule } from "./criterion.js";
import { decide } from "./decision.js";
import type { Kernel } from "./kernel.js";
import { measure, unmeasured } from "./measure.js";
import { ignoredBecause, type OutputPolicy } from "./policy.js";
import type { DifferenceKind, OutputComparison } from "./types.js";

/**
 * Compares one output of two answers. A datatype that the policy does not let the candidate cast to, or another shape,
 * is a difference of its own, and then no values are compared; which boxes there are can still be. An ignored output
 * is compared all the same, so that what is being ignored can be seen.
 */
export function compareOutput(
  primary: Tensor,
  candidate: Tensor,
  policy: OutputPolicy,
  nowMs: number,
  kernel: Kernel,
): OutputComparison {
  const pair = alikeInDatatype(primary, candidate, policy);
  if (pair === null) return unpairedOutput("dtype", primary, candidate, policy, nowMs);
  if (!isSameShape(primary.shape, candidate.shape)) {
    return unpairedOutput("shape", primary, candidate, policy, nowMs);
  }
  const measured = measure(...pair, policy, kernel);
  const ulpDatatype = coarser(primary.datatype, candidate.datatype);
  const ruling = applyRule(...pair, policy, measured, ulpDatatype);
  const kind = measured.nonFiniteMismatches > 0 ? "non_finite" : ruling.isBeyond ? "value" : null;
  const { result, ignored } = judged(kind, policy, nowMs);
  // Field by field: put together of other objects it would cost more than what was measured.
  return {
    output: primary.name,
    result,
    kind,
    datatype: primary.datatype,
    shape: primary.shape,
    candidateDatatype: candidate.datatype,
    candidateShape: candidate.shape,
    elements: elementCount(primary.shape),
    mismatches: ruling.mismatches,
    maxAbs: measured.maxAbs,
    maxRel: measured.maxRel,
    meanAbs: measured.meanAbs,
    rmse: measured.rmse,
    cosine: ruling.cosine,
    nonFinitePrimary: measured.nonFinitePrimary,
    nonFiniteCandidate: measured.nonFiniteCandidate,
    decision: policy.decision ? decide(primary, candidate, policy.decision) : null,
    worst: measured.worst,
    histogram: measured.histogram,
    atolToPass: ruling.atolToPass === undefined ? measured.atolToPass : ruling.atolToPass,
    statistic: ruling.statistic,
    maxUlps: ruling.maxUlps,
    differences: measured.differences,
    ignored,
  };
}

/**
 * An output whose values cannot be compared with their likes: one side lacks it, or has it in another form. All its
 * elements count as mismatches.
 */
export function unpairedOutput(
  kind: DifferenceKind,
  primary: Tensor | null,
  candidate: Tensor | null,
  policy: OutputPolicy,
  nowMs: number,
): OutputComparison {
  const present = (primary ?? candidate)!;
  const elements = elementCount(present.shape);
  return {
    output: present.name,
    kind,
    ...judged(kind, policy, nowMs),
    datatype: present.datatype,
    shape: present.shape,
    candidateDatatype: candidate?.datatype ?? null,
    candidateShape: candidate?.shape ?? null,
    elements,
    mismatches: elements,
    ...unmeasured,
    decision:
      kind === "shape" && policy.decision?.type === "boxes" && primary && candidate
        ? decide(primary, candidate, policy.decision)
        : null,
  };
}

function alikeInDatatype(
  primary: Tensor,
  candidate: Tensor,
  policy: OutputPolicy,
): readonly [Tensor, Tensor] | null {
  if (primary.datatype === candidate.datatype) return [primary, candidate];
  return castPair(primary, candidate, "cast" in policy ? policy.cast : false);
}

function judged(
  kind: DifferenceKind | null,
  policy: OutputPolicy,
  nowMs: number,
): Pick<OutputComparison, "result" | "ignored"> {
  const ignored = ignoredBecause(policy, nowMs);
  if (ignored !== null) return { result: "ignored", ignored };
  return { result: kind === null ? "match" : "mismatch", ignored: undefined };
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}
