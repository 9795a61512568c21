import { elementBytes } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { elementReader, multiIndex } from "../tensor/view.js";
import { measureIdentical } from "./identical.js";
import type { ElementRule, Kernel, Measurement } from "./kernel.js";
import type { OutputPolicy } from "./policy.js";
import { clipped } from "./structure.js";
import { compareTexts } from "./texts.js";
import type { ElementValue, OutputComparison, WorstElement } from "./types.js";

/** What the elements of two tensors alike in datatype and shape came to. */
export type Measured = Pick<
  OutputComparison,
  | "mismatches"
  | "maxAbs"
  | "maxRel"
  | "meanAbs"
  | "rmse"
  | "cosine"
  | "nonFinitePrimary"
  | "nonFiniteCandidate"
  | "worst"
  | "histogram"
  | "atolToPass"
  | "differences"
> & { nonFiniteMismatches: number };

/** The metrics of what has no numbers, or no counterpart. */
export const unmeasured = {
  maxAbs: null,
  maxRel: null,
  meanAbs: null,
  rmse: null,
  cosine: null,
  nonFinitePrimary: 0,
  nonFiniteCandidate: 0,
  worst: [],
} as const;

/** Compares the elements of two tensors alike in datatype and shape, by whichever way their datatype and the rule ask for. */
export function measure(primary: Tensor, candidate: Tensor, policy: OutputPolicy, kernel: Kernel): Measured {
  if (primary.datatype === "BYTES") {
    const { mismatches, worst, differences } = compareTexts(primary, candidate, policy.rule === "json");
    const places = worst.map((index) => ({ index, absError: null }));
    return {
      ...unmeasured,
      mismatches,
      nonFiniteMismatches: 0,
      worst: worstElements(primary, candidate, places),
      differences,
    };
  }
  const measurement = measureNumbers(primary, candidate, policy, kernel);
  if (hasNoWorst(measurement)) return measurement;
  return { ...measurement, worst: worstElements(primary, candidate, measurement.worst) };
}

/** Nearly always: then it need not be copied to be said in elements. */
function hasNoWorst(measurement: Measurement): measurement is Measurement & { worst: [] } {
  return measurement.worst.length === 0;
}

function measureNumbers(
  primary: Tensor,
  candidate: Tensor,
  policy: OutputPolicy,
  kernel: Kernel,
): Measurement {
  const rule = elementRule(policy);
  if (isSameBytes(primary.data, candidate.data)) return measureIdentical(primary, rule, kernel);
  const measurement = kernel(primary, candidate, rule);
  return policy.rule === "bytes"
    ? { ...measurement, mismatches: differingElements(primary, candidate) }
    : measurement;
}

/** Those that differ mostly do so in their first byte, the lowest of a number; a look at it spares a call. */
function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a[0] === b[0] && Buffer.compare(a, b) === 0;
}

function elementRule(policy: OutputPolicy): ElementRule {
  switch (policy.rule) {
    case "numpy":
    case "polygraphy": {
      const { rule, atol, rtol, equalNan = false } = policy;
      return { rule, atol, rtol, equalNan };
    }
    case "exact":
    case "ulp":
    case "cosine":
    case "json":
      return { rule: "numpy", atol: 0, rtol: 0, equalNan: policy.equalNan ?? false };
    case "bytes":
      return { rule: "numpy", atol: 0, rtol: 0, equalNan: true };
  }
}

function differingElements(primary: Tensor, candidate: Tensor): number {
  const size = elementBytes(primary.datatype)!;
  let differing = 0;
  for (let start = 0; start < primary.data.length; start += size) {
    let i = start;
    while (i < start + size && primary.data[i] === candidate.data[i]) i++;
    if (i < start + size) differing++;
  }
  return differing;
}

function worstElements(
  primary: Tensor,
  candidate: Tensor,
  places: readonly { index: number; absError: number | null }[],
): WorstElement[] {
  if (places.length === 0) return [];
  const primaryAt = elementReader(primary);
  const candidateAt = elementReader(candidate);
  return places.map(({ index, absError }) => ({
    index: multiIndex(index, primary.shape),
    primary: shortened(primaryAt(index)),
    candidate: shortened(candidateAt(index)),
    absError,
  }));
}

function shortened(value: ElementValue): ElementValue {
  return typeof value === "string" ? clipped(value) : value;
}
