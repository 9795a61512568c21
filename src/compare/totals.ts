import { histogramOf } from "./decades.js";
import { type ElementRule, type Measurement, nonFiniteMismatch } from "./kernel.js";
import { newWorstList, offerWorst, type WorstList } from "./worst.js";

/** The running sums of a pass. p and c are the elements of a finite pair. */
export interface Totals {
  /** Finite pairs. */
  pairs: number;
  mismatches: number;
  nonFiniteMismatches: number;
  nonFinitePrimary: number;
  nonFiniteCandidate: number;
  maxAbs: number;
  /** −1 until there is a pair with p ≠ 0. */
  maxRel: number;
  /** Σ|c − p| */
  errors: number;
  /** Σ(c − p)² */
  squaredErrors: number;
  /** Σpc, Σp², Σc² */
  products: number;
  primarySquares: number;
  candidateSquares: number;
  /** What the rule's rtol leaves for atol to allow, at most; at least 0. */
  excess: number;
  /** Pairs by the place of their error in `decadeStarts`. */
  decades: Float64Array;
  worst: WorstList;
}

/** @param decades zeros to count in, or what a kernel counts in by itself; as many as `decadeStarts` */
export function newTotals(decades: Float64Array): Totals {
  return {
    pairs: 0,
    mismatches: 0,
    nonFiniteMismatches: 0,
    nonFinitePrimary: 0,
    nonFiniteCandidate: 0,
    maxAbs: 0,
    maxRel: -1,
    errors: 0,
    squaredErrors: 0,
    products: 0,
    primarySquares: 0,
    candidateSquares: 0,
    excess: 0,
    decades,
    worst: newWorstList(),
  };
}

/** Adds a pair that is not finite on both sides. */
export function addNonFinite(
  totals: Totals,
  index: number,
  primary: number,
  candidate: number,
  rule: ElementRule,
): void {
  if (!Number.isFinite(primary)) totals.nonFinitePrimary++;
  if (!Number.isFinite(candidate)) totals.nonFiniteCandidate++;
  if (!nonFiniteMismatch(primary, candidate, rule)) return;
  totals.mismatches++;
  totals.nonFiniteMismatches++;
  offerWorst(totals.worst, index, Math.abs(candidate - primary));
}

/** The metrics that the sums make. */
export function measurementOf(totals: Totals, rule: ElementRule): Measurement {
  const { pairs, maxAbs, maxRel, products, primarySquares, candidateSquares } = totals;
  const cosine = products / (Math.sqrt(primarySquares) * Math.sqrt(candidateSquares));
  return {
    mismatches: totals.mismatches,
    nonFiniteMismatches: totals.nonFiniteMismatches,
    nonFinitePrimary: totals.nonFinitePrimary,
    nonFiniteCandidate: totals.nonFiniteCandidate,
    maxAbs: pairs > 0 ? maxAbs : null,
    maxRel: maxRel >= 0 ? maxRel : null,
    meanAbs: pairs > 0 ? totals.errors / pairs : null,
    rmse: pairs > 0 ? Math.sqrt(totals.squaredErrors / pairs) : null,
    // Rounding can leave the quotient a few units above 1.
    cosine:
      isPrecise(primarySquares) && isPrecise(candidateSquares) ? Math.max(-1, Math.min(1, cosine)) : null,
    histogram: histogramOf(totals.decades, pairs),
    atolToPass: pairs > 0 ? atolToPass(totals.excess, rule) : null,
    worst: totals.worst.elements,
  };
}

/** Whether a sum of squares has neither overflowed nor lost digits to underflow: all that counts in it is normal. */
export function isPrecise(squares: number): boolean {
  return squares >= 2 ** -960 && squares < Infinity;
}

/** |c − p| − rtol·|p| is rounded, and so is the sum when it is judged by: half a unit in the last place each. */
function atolToPass(excess: number, { rule, rtol }: ElementRule): number {
  if (excess === 0 || rule === "polygraphy" || rtol === 0) return excess;
  const raised = excess * (1 + Number.EPSILON) + Number.MIN_VALUE;
  return raised < Infinity ? raised : excess;
}
