/**
 * A quantile sketch whose buckets are labels with counts, so that merging is adding: in SQL, `SUM … GROUP BY label`.
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

const zero = "zero";
const infinite = "inf";

/** The largest relative error of {@link quantiles} against a value of that rank. */
export const sketchRelativeError = alpha;

/**
 * The label of the bucket that holds a value of 0 or more, +Infinity included.
 * @throws RangeError for NaN and for negative values, which no bucket holds
 */
export function bucketOf(value: number): string {
  if (!(value >= 0)) throw new RangeError(`a sketch holds values of 0 or more, not ${value}`);
  if (value === 0) return zero;
  if (value === Infinity) return infinite;
  return String(Math.ceil(Math.log(value) / logGamma));
}

/**
 * For each fraction the value of rank ⌊q·(n − 1)⌋, within {@link sketchRelativeError}, or null when nothing was counted.
 *
 * @param counts bucket label → count
 * @param max the largest value, which a bucket's representative can lie above; null: it is not known
 * @param qs fractions, 0 to 1
 */
export function quantiles<const Q extends readonly number[]>(
  counts: ReadonlyMap<string, number>,
  max: number | null,
  qs: Q,
): { [I in keyof Q]: number | null } {
  const countAt = new Map([...counts].map(([label, count]) => [indexOf(label), count]));
  const total = [...countAt.values()].reduce((sum, count) => sum + count, 0);
  const ascending = Float64Array.from(countAt.keys()).sort();
  const found = qs.map((q) => {
    const rank = Math.floor(q * (total - 1));
    let seen = 0;
    const index = ascending.find((bucket) => {
      seen += countAt.get(bucket)!;
      return seen > rank;
    });
    if (total <= 0 || index === undefined) return null;
    return Math.min(estimate(index), max ?? Number.POSITIVE_INFINITY);
  });
  return found as { [I in keyof Q]: number | null };
}

function indexOf(label: string): number {
  if (label === zero) return -Infinity;
  if (label === infinite) return Infinity;
  return Number(label);
}

function estimate(index: number): number {
  if (index === -Infinity) return 0;
  // In logarithms: γ^index alone could overflow where the representative does not.
  return Math.exp(index * logGamma + Math.log(2 / (sketchGamma + 1)));
}

/** How many of the counted values lie above `value`: those of the buckets above its own, so exact to the bucket. */
export function countAbove(counts: ReadonlyMap<string, number>, value: number): number {
  const own = indexOf(bucketOf(value));
  return [...counts].reduce((sum, [label, count]) => (indexOf(label) > own ? sum + count : sum), 0);
}
