import { describe, expect, test } from "vitest";
import { logFalling, logGamma } from "../../src/stats/log-gamma.js";

/** ln of a positive integer of any size. */
function logOf(integer: bigint): number {
  const digits = integer.toString();
  return Math.log(Number(`0.${digits.slice(0, 17)}`)) + digits.length * Math.LN10;
}

function factorial(n: number): bigint {
  let product = 1n;
  for (let factor = 2n; factor <= BigInt(n); factor++) product *= factor;
  return product;
}

function expectClose(found: number, exact: number): void {
  expect(Math.abs(found - exact)).toBeLessThanOrEqual(1e-14 * Math.max(1, Math.abs(exact)));
}

describe("logGamma", () => {
  test("of integers is the logarithm of a factorial", () => {
    for (let n = 0; n <= 300; n++) expectClose(logGamma(n + 1), logOf(factorial(n)));
  });

  test("of halves is (2n)!·√π / (4^n·n!)", () => {
    for (let n = 0; n <= 120; n++) {
      const exact = logOf(factorial(2 * n)) - logOf(factorial(n)) - n * Math.log(4) + Math.log(Math.PI) / 2;
      // The oracle itself subtracts numbers of this size.
      expect(Math.abs(logGamma(n + 0.5) - exact)).toBeLessThanOrEqual(1e-14 * (1 + 4 * Math.abs(exact) + n));
    }
  });

  // From the C library's lgamma, which is exact to the last digit or two.
  test.each([
    [3.7, 1.4280723266653883],
    [11.999, 17.499865227646104],
    [12.5, 18.73434751193645],
    [100.25, 360.2845596377643],
    [1e4, 82099.71749644238],
    [1e7, 151180949.3694739],
    [1e9, 19723265827.503716],
  ])("of %f is %f", (x, exact) => expectClose(logGamma(x), exact));
});

describe("logFalling", () => {
  test.each([
    [5, 0, 1],
    [5, 2, 20],
    [5, 5, 120],
    [2.5, 2, 2.5 * 1.5],
    [0, 0, 1],
  ])("%f in %i steps", (a, k, product) => expectClose(logFalling(a, k), Math.log(product)));
});
