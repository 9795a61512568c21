import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { OutputPolicy } from "../../src/compare/policy.js";
import { judgeStatistic } from "../../src/compare/statistic.js";
import { tensor } from "./tensors.js";

type Toleranced = OutputPolicy & { rule: "numpy" | "polygraphy" };
type Name = "max" | "mean" | "median" | "quantile";

function judged(p: readonly number[], c: readonly number[], name: Name, policy: Toleranced) {
  return judgeStatistic(tensor("FP64", p), tensor("FP64", c), name, policy);
}

const polygraphy = (atol: number, rtol: number): Toleranced => ({ rule: "polygraphy", atol, rtol });
const numpy = (atol: number, rtol: number): Toleranced => ({ rule: "numpy", atol, rtol });

/** Errors 0, 1, 2, 9 of 10, 10, 20, 30: relative 0, 0.1, 0.1, 0.3. */
const p = [10, 10, 20, 30];
const c = [10, 11, 22, 39];

describe("statistics of the errors", () => {
  test.each<[Name, number, number]>([
    ["max", 9, 0.3],
    ["mean", 3, 0.125],
    ["median", 1.5, 0.1],
    ["quantile", 8.79, 0.294],
  ])("%s", (name, abs, rel) => {
    const { statistic } = judged(p, c, name, polygraphy(0, 0));
    expect(statistic.name).toBe(name);
    expect(statistic.abs).toBeCloseTo(abs, 12);
    expect(statistic.rel).toBeCloseTo(rel, 12);
  });

  test("a quantile is the policy's own", () => {
    const { statistic } = judged(p, c, "quantile", { ...polygraphy(0, 0), quantile: 0.25 });
    expect(statistic).toEqual({ name: "quantile", abs: 0.75, rel: 0.07500000000000001 });
  });

  test.each<[string, Name, Toleranced, boolean]>([
    ["both beyond", "mean", polygraphy(2.9, 0.12), true],
    ["the absolute one within", "mean", polygraphy(3, 0), false],
    ["the relative one within", "mean", polygraphy(0, 0.125), false],
    // max(|c − p| − 0.2·|p|) = 9 − 6
    ["numpy's, as single elements", "max", numpy(3, 0.2), false],
    ["numpy's, as single elements, beyond", "max", numpy(2.9, 0.2), true],
    // mean 3, less 0.1 · mean |p| = 1.75
    ["numpy's mean", "mean", numpy(1.25, 0.1), false],
    ["numpy's mean, beyond", "mean", numpy(1.2, 0.1), true],
  ])("%s", (_, name, policy, isBeyond) => {
    expect(judged(p, c, name, policy).isBeyond).toBe(isBeyond);
  });

  test.each<[string, number[], number[], number | null, number | null]>([
    ["no elements", [], [], null, null],
    ["no finite pair", [NaN, 1], [1, Infinity], null, null],
    ["the same", [1, -0], [1, 0], 0, 0],
    ["zero for zero, and another for zero", [0, 0], [0, 2], 2, Infinity],
    ["a finite pair among others", [NaN, 1, Infinity], [NaN, 2, Infinity], 1, 1],
    ["subnormals", [5e-324], [1e-323], 5e-324, 1],
    ["an overflow", [-1.7e308], [1.7e308], Infinity, Infinity],
  ])("of %s", (_, primary, candidate, abs, rel) => {
    const { statistic, isBeyond } = judged(primary, candidate, "max", polygraphy(1, 1));
    expect(statistic).toEqual({ name: "max", abs, rel });
    expect(isBeyond).toBe((abs ?? 0) > 1 && (rel ?? 0) > 1);
  });

  test("of 64-bit integers are exact", () => {
    const { statistic } = judgeStatistic(
      tensor("INT64", [2n ** 62n, -(2n ** 63n)]),
      tensor("INT64", [2n ** 62n + 1n, -(2n ** 63n) + 3n]),
      "mean",
      polygraphy(0, 0),
    );
    expect(statistic.abs).toBe(2);
  });

  test("numpy's maximum judges as its elements do", () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 });
    const tolerance = fc.double({ min: 0, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(number, number)),
        tolerance,
        fc.constantFrom(0, 0.25, 0.5),
        (pairs, atol, rtol) => {
          const { isBeyond } = judged(
            pairs.map(([a]) => a),
            pairs.map(([, b]) => b),
            "max",
            numpy(atol, rtol),
          );
          expect(isBeyond).toBe(pairs.some(([a, b]) => Math.abs(b - a) - rtol * Math.abs(a) > atol));
        },
      ),
    );
  });

  test.each<[string, Name, Toleranced, number[], number[], number | null]>([
    ["numpy's mean", "mean", numpy(0, 0.1), p, c, 1.25],
    ["numpy's maximum", "max", numpy(0, 0.2), p, c, 3],
    ["numpy, within the rtol alone", "max", numpy(5, 0.3), p, c, 0],
    ["polygraphy", "mean", polygraphy(0, 0.1), p, c, 3],
    ["polygraphy, within the rtol alone", "mean", polygraphy(0, 0.125), p, c, 0],
    ["an overflow", "max", numpy(0, 0), [-1.7e308], [1.7e308], Infinity],
    ["no finite pair", "mean", numpy(0, 0), [NaN], [1], null],
    ["infinities of both signs", "mean", numpy(0, 2), [1.7e308, -8e307], [1.7e308, 1.7e308], null],
  ])("the atol that would have passed: %s", (_, name, policy, primary, candidate, expected) => {
    expect(judged(primary, candidate, name, policy).atolToPass).toBe(expected);
  });

  test("the atol that would have passed does, and less does not", () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(number, number), { minLength: 1 }),
        fc.constantFrom<Name>("max", "mean", "median", "quantile"),
        fc.constantFrom(numpy(0, 0.25), polygraphy(0, 0.25)),
        (pairs, name, policy) => {
          const sides = [pairs.map(([a]) => a), pairs.map(([, b]) => b)] as const;
          const { atolToPass } = judged(...sides, name, policy);
          expect(judged(...sides, name, { ...policy, atol: atolToPass! }).isBeyond).toBe(false);
          if (atolToPass! < 1e-300) return;
          const less = { ...policy, atol: atolToPass! * (1 - 1e-15) };
          expect(judged(...sides, name, less).isBeyond).toBe(true);
        },
      ),
    );
  });

  test("over many blocks", () => {
    const many = Array.from({ length: 5000 }, (_, i) => i);
    const { statistic } = judged(
      many.map(() => 1),
      many.map((i) => 1 + i),
      "median",
      polygraphy(0, 0),
    );
    expect(statistic.abs).toBe(2499.5);
  });
});
