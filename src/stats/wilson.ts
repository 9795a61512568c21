/**
 * Wilson's score interval for a rate, for display only: looked at again and again it does not keep its level.
 *
 * Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927).
 *
 * @param z standard normal quantile; the default gives 95 %
 * @returns `[low, high]`, fractions; `[0, 1]` without trials
 */
export function wilson(successes: number, trials: number, z = 1.959963984540054): [number, number] {
  if (trials <= 0) return [0, 1];
  const rate = successes / trials;
  const square = (z * z) / trials;
  const centre = (rate + square / 2) / (1 + square);
  const half = (z / (1 + square)) * Math.sqrt((rate * (1 - rate)) / trials + square / (4 * trials));
  // At the ends the bound is exact; rounding must not leave 1e-17 where 0 is meant.
  const low = successes <= 0 ? 0 : Math.max(0, centre - half);
  const high = successes >= trials ? 1 : Math.min(1, centre + half);
  return [low, high];
}
