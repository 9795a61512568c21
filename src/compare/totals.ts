import { type ElementRule, type Measurement, nonFiniteMismatch } from "./kernel.js";
import { createWorstList, type WorstList } from "./worst.js";

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
  worst: WorstList;
}

export function newTotals(): Totals {
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
    worst: createWorstList(),
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
  totals.worst.offer(index, Math.abs(candidate - primary));
}

/** The metrics that the sums make. */
export function measurementOf(totals: Totals): Measurement {
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
    // Rounding can leave the quotient a few units above 1; overflow makes it NaN, or a false 0.
    cosine:
      primarySquares < Infinity && candidateSquares < Infinity && Number.isFinite(cosine)
        ? Math.max(-1, Math.min(1, cosine))
        : null,
    worst: totals.worst.toArray(),
  };
}
