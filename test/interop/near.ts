/**
 * Whether two numbers, or what stands for one, are the same but for rounding: sums are taken in other orders, say.
 * Below the normal numbers a rounding is one subnormal, whatever share of the number that is.
 */
export function isNear(found: unknown, expected: unknown, share = 1e-12): boolean {
  if (typeof found !== "number" || typeof expected !== "number") return found === expected;
  return Math.abs(found - expected) <= share * Math.abs(expected) + Number.MIN_VALUE;
}
