import { elementBytes, elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { elementAt, multiIndex } from "../tensor/view.js";
import { decide } from "./decision.js";
import { measureIdentical } from "./identical.js";
import type { ElementRule, Kernel, Measurement } from "./kernel.js";
import { ignoredBecause, type OutputPolicy } from "./policy.js";
import { clipped } from "./structure.js";
import { compareTexts } from "./texts.js";
import type { DifferenceKind, ElementValue, OutputComparison, WorstElement } from "./types.js";

/** What the elements of two tensors alike in datatype and shape came to. */
type Measured = Pick<
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
  | "differences"
> & { nonFiniteMismatches: number };

const unmeasured = {
  maxAbs: null,
  maxRel: null,
  meanAbs: null,
  rmse: null,
  cosine: null,
  nonFinitePrimary: 0,
  nonFiniteCandidate: 0,
  worst: [],
} as const;

/**
 * Compares one output of two answers. Another datatype or shape is a difference of its own, and then no values are
 * compared. An ignored output is compared all the same, so that what is being ignored can be seen.
 */
export function compareOutput(
  primary: Tensor,
  candidate: Tensor,
  policy: OutputPolicy,
  nowMs: number,
  kernel: Kernel,
): OutputComparison {
  if (primary.datatype !== candidate.datatype) {
    return unpairedOutput("dtype", primary, candidate, policy, nowMs);
  }
  if (!isSameShape(primary.shape, candidate.shape)) {
    return unpairedOutput("shape", primary, candidate, policy, nowMs);
  }
  const elements = elementCount(primary.shape);
  const { nonFiniteMismatches, ...measured } = measure(primary, candidate, policy, kernel);
  // A quotient, not a product: 0.29 · 100 is less than 29.
  const isBeyond = measured.mismatches / elements > (policy.mismatchFraction ?? 0);
  const kind = nonFiniteMismatches > 0 ? "non_finite" : isBeyond ? "value" : null;
  return {
    output: primary.name,
    ...judged(kind, policy, nowMs),
    ...formsOf(primary, candidate),
    elements,
    ...measured,
    decision: policy.decision ? decide(primary, candidate, policy.decision) : null,
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
    ...judged(kind, policy, nowMs),
    ...formsOf(present, candidate),
    elements,
    mismatches: elements,
    ...unmeasured,
    decision: null,
  };
}

function judged(
  kind: DifferenceKind | null,
  policy: OutputPolicy,
  nowMs: number,
): Pick<OutputComparison, "result" | "kind" | "ignored"> {
  const ignored = ignoredBecause(policy, nowMs);
  if (ignored !== null) return { result: "ignored", kind, ignored };
  return { result: kind === null ? "match" : "mismatch", kind };
}

function formsOf(
  present: Tensor,
  candidate: Tensor | null,
): Pick<OutputComparison, "datatype" | "shape" | "candidateDatatype" | "candidateShape"> {
  return {
    datatype: present.datatype,
    shape: present.shape,
    candidateDatatype: candidate?.datatype ?? null,
    candidateShape: candidate?.shape ?? null,
  };
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

function measure(primary: Tensor, candidate: Tensor, policy: OutputPolicy, kernel: Kernel): Measured {
  if (primary.datatype === "BYTES") {
    const { mismatches, worst, differences } = compareTexts(primary, candidate, policy.rule === "json");
    const shown = worst.map((index) => worstElement(primary, candidate, index, null));
    return { ...unmeasured, mismatches, nonFiniteMismatches: 0, worst: shown, differences };
  }
  const measurement = measureNumbers(primary, candidate, policy, kernel);
  const worst = measurement.worst.map(({ index, absError }) =>
    worstElement(primary, candidate, index, absError),
  );
  return { ...measurement, worst };
}

function measureNumbers(
  primary: Tensor,
  candidate: Tensor,
  policy: OutputPolicy,
  kernel: Kernel,
): Measurement {
  const rule = elementRule(policy);
  if (Buffer.compare(primary.data, candidate.data) === 0) return measureIdentical(primary, rule, kernel);
  const measurement = kernel(primary, candidate, rule);
  return policy.rule === "bytes"
    ? { ...measurement, mismatches: differingElements(primary, candidate) }
    : measurement;
}

function elementRule(policy: OutputPolicy): ElementRule {
  switch (policy.rule) {
    case "numpy":
    case "polygraphy": {
      const { rule, atol, rtol, equalNan = false } = policy;
      return { rule, atol, rtol, equalNan };
    }
    case "exact":
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

function worstElement(
  primary: Tensor,
  candidate: Tensor,
  index: number,
  absError: number | null,
): WorstElement {
  return {
    index: multiIndex(index, primary.shape),
    primary: shortened(elementAt(primary, index)),
    candidate: shortened(elementAt(candidate, index)),
    absError,
  };
}

function shortened(value: ElementValue): ElementValue {
  return typeof value === "string" ? clipped(value) : value;
}
