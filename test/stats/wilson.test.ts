import { describe, expect, test } from "vitest";
import { wilson } from "../../src/stats/wilson.js";

describe("wilson", () => {
  // From R: binom::binom.confint(x, n, methods = "wilson"), and Newcombe (1998), table I.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
    [29, 29, 0.883, 1],
  ])("%i of %i is between %f and %f", (successes, trials, low, high) => {
    const interval = wilson(successes, trials);
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });

  test("knows nothing without trials", () => {
    expect(wilson(0, 0)).toEqual([0, 1]);
  });

  test("has exact ends at 0 and 1", () => {
    expect(wilson(0, 7)[0]).toBe(0);
    expect(wilson(7, 7)[1]).toBe(1);
  });
});
