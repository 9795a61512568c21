import { describe, expect, test } from "vitest";
import { createRateTest } from "../../src/stats/rate-test.js";
import { requestsNeeded } from "../../src/stats/requests-needed.js";

const alpha = 0.05;

describe("how many more requests a verdict takes", () => {
  test.each([0.001, 0.01, 0.1, 0.5])(
    "with none so far and a limit of %f: the fewest that can pass",
    (limit) => {
      const needed = requestsNeeded({ trials: 0, events: 0, remaining: Infinity }, { limit, alpha });
      expect(needed?.verdict).toBe("pass");
      const verdictAfter = (trials: number) =>
        createRateTest({ limit, alpha }).look({ trials, events: 0, remaining: Infinity }).verdict;
      expect(verdictAfter(needed!.more)).toBe("pass");
      expect(verdictAfter(needed!.more - 1)).toBe("inconclusive");
    },
  );

  test.each([
    { events: 12, trials: 1000, limit: 0.01, verdict: "fail" },
    { events: 30, trials: 2000, limit: 0.01, verdict: "fail" },
    { events: 8, trials: 1000, limit: 0.01, verdict: "pass" },
    { events: 0, trials: 100, limit: 0.01, verdict: "pass" },
  ])(
    "$events of $trials under $limit: it is a $verdict then, and not one before",
    ({ limit, verdict, ...seen }) => {
      const needed = requestsNeeded({ ...seen, remaining: Infinity }, { limit, alpha })!;
      expect(needed.verdict).toBe(verdict);
      const at = (more: number) => {
        const trials = seen.trials + more;
        const events = Math.round((trials * seen.events) / seen.trials);
        return createRateTest({ limit, alpha }).look({ trials, events, remaining: Infinity }).verdict;
      };
      // Events come whole, which is worth some requests either way.
      expect(at(Math.ceil(needed.more * 1.1))).toBe(verdict);
      expect(at(Math.floor(needed.more * 0.9))).toBe("inconclusive");
    },
  );

  test("none when the verdict is there already", () => {
    const counts = { trials: 2000, events: 60, remaining: Infinity };
    expect(requestsNeeded(counts, { limit: 0.01, alpha })).toEqual({ verdict: "fail", more: 0 });
  });

  test.each([
    ["the rate is the limit", { trials: 1000, events: 10, remaining: Infinity }, 0.01],
    ["nothing may mismatch", { trials: 1000, events: 0, remaining: Infinity }, 0],
    ["there is nothing to read", { trials: 0, events: 0, remaining: 0 }, 0.01],
  ])("never, when %s", (_name, counts, limit) => {
    expect(requestsNeeded(counts, { limit, alpha })).toBeNull();
  });

  test.each([
    [{ trials: 100, events: 0, remaining: 20 }, 0.01, { verdict: "pass", more: 17 }],
    [{ trials: 100, events: 1, remaining: 900 }, 0.01, { verdict: "pass", more: 900 }],
    [{ trials: 100, events: 0, remaining: 50 }, 0, { verdict: "pass", more: 50 }],
  ])("a sealed selection %j under %f is known at its end at the latest", (counts, limit, needed) => {
    expect(requestsNeeded(counts, { limit, alpha })).toEqual(needed);
  });
});
