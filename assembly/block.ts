import { maxOf, sumOf, widened } from "./lanes";
import { errors, groupMaxima, groupPairs, Rule, rule, totals } from "./memory";

/**
 * The fused pass: adds a block of pairs to the totals and leaves their errors in `errors`. All arithmetic is float64.
 *
 * Each sum is made in two lanes and then added to the total: of n terms of one sign, the first 1024 at a time, its
 * relative error is at most (515 + n / 1024) · 2⁻⁵³.
 *
 * @param count even; what is behind the last pair is 0
 * @param masked what is not finite has been taken out; sums that overflow are then what they are
 * @returns the largest error; NaN, and nothing is added, when something may not be finite
 */
@inline
export function addBlock<T>(
  primary: usize,
  candidate: usize,
  count: i32,
  polygraphy: bool,
  masked: bool,
): f64 {
  const zeros = f64x2.splat(0);
  // From memory: a splat of a local would be made anew in every turn of the loop.
  const atols = v128.load64_splat(changetype<usize>(rule), offsetof<Rule>("atol"));
  const rtols = v128.load64_splat(changetype<usize>(rule), offsetof<Rule>("rtol"));
  let errorSums = zeros;
  let squaredErrorSums = zeros;
  let primarySquareSums = zeros;
  let candidateSquareSums = zeros;
  let maxRels = f64x2.splat(-1);
  let maxExcess = zeros;
  let mismatches = i64x2.splat(0);
  let out = errors;
  let c = candidate;
  const end = primary + (<usize>count) * sizeof<T>();
  let largest = zeros;
  let group = groupMaxima;
  let p = primary;
  while (p < end) {
    const groupEnd = min(end, p + (<usize>groupPairs) * sizeof<T>());
    let maxErrors = zeros;
    for (; p < groupEnd; p += 2 * sizeof<T>()) {
      const x = widened<T>(p);
      const y = widened<T>(c);
      const error = f64x2.abs(f64x2.sub(y, x));
      v128.store(out, error);
      const size = f64x2.abs(x);
      errorSums = f64x2.add(errorSums, error);
      squaredErrorSums = f64x2.add(squaredErrorSums, f64x2.mul(error, error));
      primarySquareSums = f64x2.add(primarySquareSums, f64x2.mul(x, x));
      candidateSquareSums = f64x2.add(candidateSquareSums, f64x2.mul(y, y));
      maxErrors = f64x2.pmax(maxErrors, error);
      const rel = f64x2.div(error, size);
      maxRels = f64x2.pmax(maxRels, rel);
      if (polygraphy) {
        const beyond = f64x2.gt(rel, rtols);
        mismatches = i64x2.sub(mismatches, v128.and(beyond, f64x2.gt(error, atols)));
        maxExcess = f64x2.pmax(maxExcess, v128.and(beyond, error));
      } else {
        const allowed = f64x2.mul(rtols, size);
        mismatches = i64x2.sub(mismatches, f64x2.gt(error, f64x2.add(atols, allowed)));
        maxExcess = f64x2.pmax(maxExcess, f64x2.sub(error, allowed));
      }
      out += 16;
      c += 2 * sizeof<T>();
    }
    v128.store(group, maxErrors);
    largest = f64x2.pmax(largest, maxErrors);
    group += 16;
  }
  const primarySquares = sumOf(primarySquareSums);
  const candidateSquares = sumOf(candidateSquareSums);
  // Squares are infinite or NaN if anything is: one check for all pairs.
  if (!masked && !(primarySquares + candidateSquares < Infinity)) return NaN;
  totals.errors += sumOf(errorSums);
  totals.squaredErrors += sumOf(squaredErrorSums);
  totals.primarySquares += primarySquares;
  totals.candidateSquares += candidateSquares;
  // 0 / 0 is never the greater one, and any other error over 0 is the greatest: then the block is gone over once more.
  const maxRel = maxOf(maxRels);
  totals.maxRel = max(totals.maxRel, maxRel < Infinity ? maxRel : maxRelWithoutZeros<T>(primary, candidate, count));
  totals.excess = max(totals.excess, maxOf(maxExcess));
  totals.mismatches += <f64>(i64x2.extract_lane(mismatches, 0) + i64x2.extract_lane(mismatches, 1));
  return maxOf(largest);
}

/** The largest relative error over pairs with p ≠ 0; −1 where there is none. */
function maxRelWithoutZeros<T>(primary: usize, candidate: usize, count: i32): f64 {
  const zeros = f64x2.splat(0);
  let maxRels = f64x2.splat(-1);
  let c = candidate;
  const end = primary + (<usize>count) * sizeof<T>();
  for (let p = primary; p < end; p += 2 * sizeof<T>()) {
    const x = widened<T>(p);
    const rel = f64x2.abs(f64x2.div(f64x2.sub(widened<T>(c), x), x));
    // All ones is a NaN.
    maxRels = f64x2.pmax(maxRels, v128.or(rel, f64x2.eq(x, zeros)));
    c += 2 * sizeof<T>();
  }
  return maxOf(maxRels);
}
