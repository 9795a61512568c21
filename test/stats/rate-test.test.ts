import { describe, expect, test } from "vitest";
import type { RateCounts } from "../../src/stats/evidence.js";
import { createRateTest } from "../../src/stats/rate-test.js";
import type { Verdict } from "../../src/stats/verdict.js";

/** The verdict on these counts, and whether it is known rather than tested. */
function look(limit: number, counts: RateCounts): [Verdict, boolean] {
  const { verdict, certain } = createRateTest({ limit, alpha: 0.05 }).look(counts);
  return [verdict, certain];
}

describe("verdicts", () => {
  const live = Infinity;
  test.each<[string, number, number, number, number, Verdict, boolean]>([
    ["nothing read", 0.01, 0, 0, live, "inconclusive", false],
    ["nothing to read", 0.01, 0, 0, 0, "inconclusive", false],
    ["nothing to read, everything allowed", 1, 0, 0, 0, "inconclusive", false],
    ["one match", 0.01, 0, 1, live, "inconclusive", false],
    ["the first two mismatch", 0.01, 2, 2, live, "fail", false],
    ["a thousand matches", 0.01, 0, 1000, live, "pass", false],
    ["twice the limit", 0.01, 40, 2000, live, "fail", false],
    ["half the limit", 0.01, 20, 4000, live, "pass", false],
    ["the limit itself", 0.01, 10_000, 1_000_000, live, "inconclusive", false],
    ["no mismatch allowed, one seen", 0, 1, 1000, live, "fail", false],
    ["no mismatch allowed, none seen", 0, 0, 1e9, live, "inconclusive", false],
    ["all may mismatch, all do", 1, 500, 500, live, "inconclusive", false],
    ["all may mismatch, one does not", 1, 499, 500, live, "pass", false],
    ["all read, none mismatch, none allowed", 0, 0, 50, 0, "pass", true],
    ["all but one read, none mismatch, none allowed", 0, 0, 49, 1, "inconclusive", false],
    ["all read, at the limit", 0.1, 5, 50, 0, "pass", true],
    ["all read, one too many", 0.1, 6, 50, 0, "fail", true],
    ["too many, whatever remains", 0.1, 6, 10, 40, "fail", true],
    ["few enough, whatever remains", 0.1, 0, 45, 5, "pass", true],
    ["one too few read for that", 0.02, 0, 44, 6, "inconclusive", false],
  ])("%s", (_name, limit, events, trials, remaining, verdict, certain) => {
    expect(look(limit, { trials, events, remaining })).toEqual([verdict, certain]);
  });

  test("the first one stays", () => {
    const judge = createRateTest({ limit: 0.01, alpha: 0.05 });
    expect(judge.look({ trials: 2, events: 2, remaining: Infinity }).verdict).toBe("fail");
    const later = judge.look({ trials: 1e6, events: 2, remaining: Infinity });
    expect(later.verdict).toBe("fail");
    expect(later.counts.trials).toBe(2);
  });

  test("a smaller alpha asks for more", () => {
    const counts = { trials: 400, events: 0, remaining: Infinity };
    expect(createRateTest({ limit: 0.01, alpha: 0.1 }).look(counts).verdict).toBe("pass");
    expect(createRateTest({ limit: 0.01, alpha: 0.001 }).look(counts).verdict).toBe("inconclusive");
  });
});

describe("refuses", () => {
  test.each([
    [-0.1, 0.05],
    [1.1, 0.05],
    [Number.NaN, 0.05],
    [0.1, 0],
    [0.1, 1],
    [0.1, Number.NaN],
  ])("limit %f with alpha %f", (limit, alpha) => {
    expect(() => createRateTest({ limit, alpha })).toThrow(RangeError);
  });

  test.each([
    { trials: 1, events: 2, remaining: 0 },
    { trials: 1, events: -1, remaining: 0 },
    { trials: 1.5, events: 1, remaining: 0 },
    { trials: 1, events: 1, remaining: -1 },
    { trials: 1, events: 1, remaining: Number.NaN },
    { trials: Infinity, events: 1, remaining: 0 },
  ])("%j", (counts) => {
    expect(() => createRateTest({ limit: 0.1, alpha: 0.05 }).look(counts)).toThrow("not counts of a rate");
  });

  test("counts that went back", () => {
    const judge = createRateTest({ limit: 0.1, alpha: 0.05 });
    judge.look({ trials: 10, events: 1, remaining: Infinity });
    expect(() => judge.look({ trials: 9, events: 1, remaining: Infinity })).toThrow("counts only grow");
  });
});
