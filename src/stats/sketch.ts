/**
 * A quantile sketch whose buckets are integers with counts, so that merging is adding: in SQL, `SUM … GROUP BY bucket`.
 *
 * Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
 * VLDB 2019, arXiv 1908.10693. Bucket i holds the values in (γ^(i−1), γ^i], γ = (1 + α) / (1 − α), and is
 * represented by 2γ^i / (γ + 1), which is within a factor 1 ± α of all of them.
 */

/**
 * γ: each bucket's upper bound over that of the one before. It is the square of the γ for α = 0.005, which sketches once
 * had, so that each bucket is two of theirs (Epicoco et al., "UDDSketch", 2020, arXiv 2004.08604: uniform collapse).
 */
export const sketchGamma = (1.005 / 0.995) ** 2;
const alpha = (sketchGamma - 1) / (sketchGamma + 1);
const logGamma = Math.log(sketchGamma);

/** Below and above those of all finite values: γ^±37,300 is beyond float64. */
const zero = -40_000;
const infinite = 40_000;

/** How many values each bucket holds. */
export type Sketch = ReadonlyMap<number, number>;

/** The largest relative error of {@link quantiles} against a value of that rank. */
export const sketchRelativeError = alpha;

/**
 * The bucket that holds a value of 0 or more, +Infinity included: the larger the value, the larger it is.
 * @throws RangeError for NaN and for negative values, which no bucket holds
 */
export function bucketOf(value: number): number {
  if (!(value >= 0)) throw new RangeError(`a sketch holds values of 0 or more, not ${value}`);
  if (value === 0) return zero;
  if (value === Infinity) return infinite;
  // Never -0, which `Object.is` tells from 0.
  return Math.ceil(Math.log(value) / logGamma) + 0;
}

/**
 * For each fraction the value of rank ⌊q·(n − 1)⌋, within {@link sketchRelativeError}, or null when nothing was counted.
 *
 * @param max the largest value, which a bucket's representative can lie above; null: it is not known
 * @param qs fractions, 0 to 1
 */
export function quantiles<const Q extends readonly number[]>(
  sketch: Sketch,
  max: number | null,
  qs: Q,
): { [I in keyof Q]: number | null } {
  const { zeros, first, finite, total } = inOrder(sketch);
  const found = qs.map((q) => {
    if (total <= 0) return null;
    let above = Math.floor(q * (total - 1)) - zeros;
    if (above < 0) return 0;
    const bucket = finite.findIndex((count) => {
      above -= count;
      return above < 0;
    });
    const estimated = bucket < 0 ? Number.POSITIVE_INFINITY : estimate(first + bucket);
    return Math.min(estimated, max ?? Number.POSITIVE_INFINITY);
  });
  return found as { [I in keyof Q]: number | null };
}

/** The counts of the finite buckets from the first to the last, empty ones too: quicker than to sort those there are. */
function inOrder(sketch: Sketch) {
  let [first, last, total] = [infinite, zero, 0];
  for (const [bucket, count] of sketch) {
    total += count;
    if (!holdsFinite(bucket)) continue;
    first = Math.min(first, bucket);
    last = Math.max(last, bucket);
  }
  const finite = new Float64Array(Math.max(0, last - first + 1));
  for (const [bucket, count] of sketch) {
    if (holdsFinite(bucket)) finite[bucket - first] = count;
  }
  return { zeros: sketch.get(zero) ?? 0, first, finite, total };
}

const holdsFinite = (bucket: number) => bucket > zero && bucket < infinite;

function estimate(bucket: number): number {
  // In logarithms: γ^bucket alone could overflow where the representative does not.
  return Math.exp(bucket * logGamma + Math.log(2 / (sketchGamma + 1)));
}

/** How many of the counted values lie above `value`: those of the buckets above its own, so exact to the bucket. */
export function countAbove(sketch: Sketch, value: number): number {
  const own = bucketOf(value);
  return [...sketch].reduce((sum, [bucket, count]) => (bucket > own ? sum + count : sum), 0);
}

/** How many values there are. */
export function sizeOf(sketch: Sketch): number {
  return [...sketch.values()].reduce((sum, count) => sum + count, 0);
}
