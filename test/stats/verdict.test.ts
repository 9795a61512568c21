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
  test("is shared equally, and is all used", () => {
    expect(shareAlpha(0.05, 1)).toBe(0.05);
    expect(shareAlpha(0.05, 4) * 4).toBeCloseTo(0.05, 12);
    expect(shareAlpha(0.05, 0)).toBe(0.05);
  });

  test.each([0, 1, -0.1, Number.NaN])("of %f is refused", (alpha) => {
    expect(() => shareAlpha(alpha, 2)).toThrow("alpha must lie between 0 and 1");
  });
});
