import { elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { decadeOf, decadeStarts } from "./decades.js";
import { measureIntegers64 } from "./integers64.js";
import type { ElementRule, Kernel, Measurement } from "./kernel.js";
import { addNonFinite, measurementOf, newTotals, type Totals } from "./totals.js";
import { createWidener, type WidenableDatatype } from "./widen.js";
import { offerWorst } from "./worst.js";

/** Two blocks of float64 that stay in the first-level cache together. */
const blockElements = 1024;

/**
 * The kernel in plain TypeScript: every datatype in one pass. Narrow types are widened to float64 a block at a time,
 * so that one loop, over one type of array, serves them all and stays fast; 64-bit integers have their own.
 *
 * Sums are taken in index order: the relative error of a sum of n terms of one sign is at most n·2⁻⁵³.
 */
export const plainKernel: Kernel = (primary, candidate, rule) => {
  switch (primary.datatype) {
    case "INT64":
    case "UINT64":
      return measureIntegers64(primary, candidate, rule);
    case "BYTES":
      throw new TypeError("BYTES have no numbers to measure");
    default:
      return measureWidened(
        primary as Tensor & { datatype: WidenableDatatype },
        candidate as Tensor & { datatype: WidenableDatatype },
        rule,
      );
  }
};

function measureWidened(
  primary: Tensor & { datatype: WidenableDatatype },
  candidate: Tensor & { datatype: WidenableDatatype },
  rule: ElementRule,
): Measurement {
  const count = elementCount(primary.shape);
  const p = createWidener(primary, Math.min(count, blockElements));
  const c = createWidener(candidate, Math.min(count, blockElements));
  const totals = newTotals(new Float64Array(decadeStarts.length));
  for (let from = 0; from < count; from += blockElements) {
    const to = Math.min(count, from + blockElements);
    p.load(from, to);
    c.load(from, to);
    addBlock(totals, p.numbers, c.numbers, from, to - from, rule);
  }
  return measurementOf(totals, rule);
}

/** Adds `count` pairs, the first of which has the flat index `first`. */
function addBlock(
  totals: Totals,
  primary: Float64Array,
  candidate: Float64Array,
  first: number,
  count: number,
  rule: ElementRule,
): void {
  const { atol, rtol } = rule;
  const both = rule.rule === "polygraphy";
  const { worst, decades } = totals;
  // Locals: a loop over an object's fields is several times slower.
  let { mismatches, maxAbs, maxRel, errors, squaredErrors } = totals;
  let { products, primarySquares, candidateSquares, excess } = totals;
  let { floor } = worst;
  let decade = 0;
  let nonFinite = 0;
  for (let i = 0; i < count; i++) {
    const p = primary[i]!;
    const c = candidate[i]!;
    const error = Math.abs(c - p);
    // False for NaN and infinities; also where the difference of two finite doubles overflows.
    if (!(error < Infinity) && !(Number.isFinite(p) && Number.isFinite(c))) {
      nonFinite++;
      continue;
    }
    const size = Math.abs(p);
    products += p * c;
    primarySquares += p * p;
    candidateSquares += c * c;
    if (size > 0 && maxRel < 0) maxRel = 0;
    if (error === 0) continue;
    const relative = error / size;
    errors += error;
    squaredErrors += error * error;
    if (error > maxAbs) maxAbs = error;
    if (relative > maxRel && size > 0) maxRel = relative;
    if (both ? error > atol && relative > rtol : error > atol + rtol * size) mismatches++;
    const beyond = both ? (relative > rtol ? error : 0) : error - rtol * size;
    if (beyond > excess) excess = beyond;
    decade = decadeOf(error, decade);
    if (decade >= 0) decades[decade]!++;
    if (error > floor) {
      offerWorst(worst, first + i, error);
      floor = worst.floor;
    }
  }
  totals.pairs += count - nonFinite;
  totals.mismatches = mismatches;
  totals.maxAbs = maxAbs;
  totals.maxRel = maxRel;
  totals.errors = errors;
  totals.squaredErrors = squaredErrors;
  totals.products = products;
  totals.primarySquares = primarySquares;
  totals.candidateSquares = candidateSquares;
  totals.excess = excess;
  // Rare, so it may go over the block again, and stay out of the loop that must be fast.
  for (let i = 0; nonFinite > 0; i++) {
    const p = primary[i]!;
    const c = candidate[i]!;
    if (Number.isFinite(p) && Number.isFinite(c)) continue;
    addNonFinite(totals, first + i, p, c, rule);
    nonFinite--;
  }
}
