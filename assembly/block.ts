import { maxOf, sumOf, widened } from "./lanes";
import { errors, Rule, rule, totals } from "./memory";

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
  let productSums = zeros;
  let primarySquareSums = zeros;
  let candidateSquareSums = zeros;
  let maxErrors = zeros;
  let maxRels = f64x2.splat(-1);
  let maxExcess = zeros;
  let mismatches = i64x2.splat(0);
  let out = errors;
  let c = candidate;
  const end = primary + (<usize>count) * sizeof<T>();
  for (let p = primary; p < end; p += 2 * sizeof<T>()) {
    const x = widened<T>(p);
    const y = widened<T>(c);
    const error = f64x2.abs(f64x2.sub(y, x));
    v128.store(out, error);
    const size = f64x2.abs(x);
    errorSums = f64x2.add(errorSums, error);
    squaredErrorSums = f64x2.add(squaredErrorSums, f64x2.mul(error, error));
    productSums = f64x2.add(productSums, f64x2.mul(x, y));
    primarySquareSums = f64x2.add(primarySquareSums, f64x2.mul(x, x));
    candidateSquareSums = f64x2.add(candidateSquareSums, f64x2.mul(y, y));
    maxErrors = f64x2.pmax(maxErrors, error);
    const rel = f64x2.div(error, size);
    // Where p is 0 there is no relative error: all ones is a NaN, which never is the greater one.
    maxRels = f64x2.pmax(maxRels, v128.or(rel, f64x2.eq(size, zeros)));
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
  const primarySquares = sumOf(primarySquareSums);
  const candidateSquares = sumOf(candidateSquareSums);
  // Squares are infinite or NaN if anything is: one check for all pairs.
  if (!masked && !(primarySquares + candidateSquares < Infinity)) return NaN;
  totals.errors += sumOf(errorSums);
  totals.squaredErrors += sumOf(squaredErrorSums);
  totals.products += sumOf(productSums);
  totals.primarySquares += primarySquares;
  totals.candidateSquares += candidateSquares;
  totals.maxRel = max(totals.maxRel, maxOf(maxRels));
  totals.excess = max(totals.excess, maxOf(maxExcess));
  totals.mismatches += <f64>(i64x2.extract_lane(mismatches, 0) + i64x2.extract_lane(mismatches, 1));
  return maxOf(maxErrors);
}
