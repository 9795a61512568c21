import type { Tensor } from "../tensor/tensor.js";
import type { ErrorHistogram } from "./types.js";

/** How single elements are judged; `exact` is `numpy` with both tolerances 0. */
export interface ElementRule {
  rule: "numpy" | "polygraphy";
  atol: number;
  rtol: number;
  equalNan: boolean;
}

/** One of the elements that differ most, by its flat index. */
export interface WorstAt {
  index: number;
  absError: number;
}

/**
 * What one pass over two tensors measures. A pair is finite when both its elements are; the metrics are over finite
 * pairs, as if computed in float64, and null where there is none. They can be Infinity where float64 overflows.
 */
export interface Measurement {
  mismatches: number;
  /** How many of the mismatches have NaN or an infinity on either side. */
  nonFiniteMismatches: number;
  nonFinitePrimary: number;
  nonFiniteCandidate: number;
  /** max |c − p| */
  maxAbs: number | null;
  /** max |c − p| / |p| over pairs with p ≠ 0, as NumPy's `assert_allclose` reports it. */
  maxRel: number | null;
  /** mean |c − p| */
  meanAbs: number | null;
  /** √ mean (c − p)² */
  rmse: number | null;
  /**
   * Σpc / √(Σp²·Σc²), in [−1, 1]; null when either side is all zeros, or its squares leave float64's range. Tensors of
   * the same bytes need no squares to have 1.
   */
  cosine: number | null;
  histogram: ErrorHistogram;
  /**
   * The least atol, beside the rule's rtol, with which every finite pair would have matched: max (|c − p| − rtol·|p|)
   * under `numpy`, rounded up where that is not exact; max |c − p| where |c − p| / |p| > rtol under `polygraphy`.
   */
  atolToPass: number | null;
  /** At most {@link worstMax}: pairs that are not equal, NaN before infinities before the largest errors; then by index. */
  worst: readonly WorstAt[];
}

/** How many of the worst elements are kept. */
export const worstMax = 10;

/**
 * Measures how a candidate's tensor differs from the primary's, under a rule. Both have the same datatype, not BYTES,
 * and the same shape. Pure.
 */
export type Kernel = (primary: Tensor, candidate: Tensor, rule: ElementRule) => Measurement;

/**
 * Whether a pair that is not finite on both sides mismatches. An infinity equals one of its own sign; NaN equals NaN
 * only if the rule says so.
 */
export function nonFiniteMismatch(primary: number, candidate: number, { equalNan }: ElementRule): boolean {
  if (Number.isNaN(primary) && Number.isNaN(candidate)) return !equalNan;
  return primary !== candidate;
}
