import type { Datatype } from "../tensor/tensor.js";
import { failureKinds } from "../upstream/observation.js";

/** What a comparison came to. `incomparable`: there were not two answers to compare. */
export const results = ["match", "mismatch", "ignored", "incomparable"] as const;
export type Result = (typeof results)[number];

/** How an output can differ. Closed, and in order of gravity: the first that applies leads the comparison. */
export const differenceKinds = [
  "undecodable",
  "missing_output",
  "extra_output",
  "dtype",
  "shape",
  "non_finite",
  "value",
  "parameters",
] as const;
export type DifferenceKind = (typeof differenceKinds)[number];

/** Why two observations could not be compared, beside a failure of the candidate. */
export const incomparableKinds = ["both_failed", "primary_failed", "primary_undecodable"] as const;
export type IncomparableKind = (typeof incomparableKinds)[number];

/** Why a comparison is no match: the one list of all kinds. */
export const comparisonKinds = [...differenceKinds, ...failureKinds, ...incomparableKinds] as const;
export type ComparisonKind = (typeof comparisonKinds)[number];

export function isIncomparableKind(kind: string | null): kind is IncomparableKind {
  return (incomparableKinds as readonly (string | null)[]).includes(kind);
}

/** A scalar as it is shown: 64-bit integers and non-finite numbers as strings, since JSON cannot carry them. */
export type ElementValue = number | string | boolean;

/** One of the elements that differ most. */
export interface WorstElement {
  /** Multi-index into the output's shape; empty for a scalar. */
  index: number[];
  primary: ElementValue;
  candidate: ElementValue;
  /** Absolute error; Infinity or NaN where a side is; null where no distance exists (BYTES). */
  absError: number | null;
}

/** What an output decides on each side, in words short and stable enough to be counted. */
export interface Decision {
  from: string;
  to: string;
  flip: boolean;
  /** On a flip: what turned into what, one entry per kind of change, most frequent first; at most 16. */
  changes?: readonly DecisionChange[];
}

export interface DecisionChange {
  from: string;
  to: string;
  /** Rows, elements or images of this output that changed so. */
  count: number;
}

/** The statistic of the errors that a policy judges by instead of single elements; null: no finite pair. */
export interface ErrorStatistic {
  name: "max" | "mean" | "median" | "quantile";
  /** Of |candidate − primary|. */
  abs: number | null;
  /** Of |candidate − primary| / |primary|: 0 where both are 0, Infinity where only the primary is. */
  rel: number | null;
}

/** How many finite pairs have an error of which size. */
export interface ErrorHistogram {
  /** Pairs without an error. */
  equal: number;
  /**
   * Pairs with 10^decade ≤ |candidate − primary| < 10^(decade + 1), ascending; decades without any are left out. −20
   * has all smaller ones too, 19 all larger ones.
   */
  decades: readonly { decade: number; pairs: number }[];
}

/** What one output of one comparison came to. Numbers are as if computed in float64, over pairs of finite elements. */
export interface OutputComparison {
  output: string;
  result: Exclude<Result, "incomparable">;
  kind: DifferenceKind | null;
  /** Of the primary, or of the candidate for an extra output. */
  datatype: Datatype | null;
  shape: readonly number[];
  candidateDatatype: Datatype | null;
  candidateShape: readonly number[] | null;
  elements: number;
  /** Elements that the rule does not let pass; all of them when there was nothing alike to compare them with. */
  mismatches: number;
  maxAbs: number | null;
  /** Over pairs whose primary element is not 0; null when there is none. */
  maxRel: number | null;
  meanAbs: number | null;
  rmse: number | null;
  cosine: number | null;
  nonFinitePrimary: number;
  nonFiniteCandidate: number;
  /** null: the policy declares no decision for this output, or the two cannot be set side by side. */
  decision: Decision | null;
  worst: readonly WorstElement[];
  /** Where numbers were measured. */
  histogram?: ErrorHistogram | undefined;
  /**
   * The least atol with which all finite pairs would have matched, the rest of the rule being as it is; under a
   * statistic, with which the statistic would have passed.
   */
  atolToPass?: number | null | undefined;
  /** Under a policy with a statistic. */
  statistic?: ErrorStatistic | undefined;
  /** Largest distance in units in the last place, under `ulp`; null: no finite pair. */
  maxUlps?: number | null | undefined;
  /** Structural differences, for outputs compared as JSON; at most 20. */
  differences?: readonly StructuralDifference[] | undefined;
  /** Why it is ignored, in the policy's words. */
  ignored?: string | undefined;
}

/** One difference found by `deep-diff`. */
export interface StructuralDifference {
  path: string;
  change: "added" | "removed" | "changed" | "array";
  primary?: unknown;
  candidate?: unknown;
}

/** Two observations of one request under a policy. */
export interface Comparison {
  result: Result;
  /** The gravest kind of difference; or why it was incomparable. null on a match. */
  kind: ComparisonKind | null;
  /** Groups divergences alike in output, kind, magnitude, decision flip and shape; null unless a mismatch. */
  signature: string | null;
  /** Of outputs that are not ignored, as `maxAbs` and `maxRel`. null: no output declares a decision. */
  flip: boolean | null;
  maxAbs: number | null;
  maxRel: number | null;
  outputs: readonly OutputComparison[];
  /** Differences of the response's parameters; reported, not failed, unless the policy says so. */
  parameters: readonly StructuralDifference[];
  /** What was wrong with an undecodable answer, or why an observation failed; at most 500 characters. */
  message?: string;
}
