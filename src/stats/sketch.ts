/**
 * A quantile sketch whose buckets are labels with counts, so that merging is adding: in SQL, `SUM … GROUP BY label`.
 *
 * Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
 * VLDB 2019, arXiv 1908.10693. Bucket i holds the values in (γ^(i−1), γ^i], γ = (1 + α) / (1 − α), and is
 * represented by 2γ^i / (γ + 1), which is within a factor 1 ± α of all of them.
 */
const alpha = 0.005;
/** γ: each bucket's upper bound over that of the one before. */
export const sketchGamma = (1 + alpha) / (1 - alpha);
const logGamma = Math.log(sketchGamma);

const zero = "zero";
const infinite = "inf";

/** The largest relative error of a {@link quantile} against a value of that rank. */
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
 * The value of rank ⌊q·(n − 1)⌋, within {@link sketchRelativeError}, or null when nothing was counted.
 *
 * @param counts bucket label → count
 * @param q fraction, 0 to 1
 */
export function quantile(counts: ReadonlyMap<string, number>, q: number): number | null {
  const buckets = [...counts].map(([label, count]) => ({ index: indexOf(label), count }));
  buckets.sort((a, b) => a.index - b.index);
  const total = buckets.reduce((sum, { count }) => sum + count, 0);
  if (total <= 0) return null;
  const rank = Math.floor(q * (total - 1));
  let seen = 0;
  for (const { index, count } of buckets) {
    seen += count;
    if (seen > rank) return estimate(index);
  }
  return null;
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
