import { describe, expect, test } from "vitest";
import { combineVerdicts, shareAlpha, type Verdict } from "../../src/stats/verdict.js";

describe("verdicts together", () => {
  test.each<[Verdict[], Verdict]>([
    [[], "inconclusive"],
    [["pass"], "pass"],
    [["pass", "pass"], "pass"],
    [["pass", "inconclusive"], "inconclusive"],
    [["inconclusive", "fail"], "fail"],
    [["pass", "fail", "pass"], "fail"],
  ])("%j is %s", (verdicts, together) => expect(combineVerdicts(verdicts)).toBe(together));
});

describe("alpha", () => {
  test("is shared by weight, and is all used", () => {
    expect(shareAlpha(0.05, { diff: 1, flip: 1 })).toEqual({ diff: 0.025, flip: 0.025 });
    const { diff, error } = shareAlpha(0.04, { diff: 3, error: 1 });
    expect(diff).toBeCloseTo(0.03, 12);
    expect(error).toBeCloseTo(0.01, 12);
    expect(shareAlpha(0.05, {})).toEqual({});
  });

  test.each([0, 1, -0.1, Number.NaN])("of %f is refused", (alpha) => {
    expect(() => shareAlpha(alpha, { diff: 1 })).toThrow("alpha must lie between 0 and 1");
  });

  test.each([0, -1, Number.NaN, Infinity])("a weight of %f is refused", (weight) => {
    expect(() => shareAlpha(0.05, { diff: weight })).toThrow("the weight of diff");
  });
});
