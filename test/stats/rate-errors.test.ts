import { describe, expect, test } from "vitest";
import { createRateTest } from "../../src/stats/rate-test.js";
import type { Verdict } from "../../src/stats/verdict.js";

// Exact: the chance of every count of events at every request, less those whose verdict has fallen. No simulation, no
// error of its own.

const alpha = 0.05;
type Chances = Record<"fail" | "pass", number>;

/** The chances that a verdict of each kind is ever said by a test that looks at every request. */
function verdictChances(options: {
  limit: number;
  looks: number;
  remaining: (trials: number) => number;
  chance: (trials: number, events: number) => number;
}): Chances {
  const said: Chances = { fail: 0, pass: 0 };
  let chances = new Float64Array([1]);
  for (let trials = 1; trials <= options.looks; trials++) {
    const next = new Float64Array(chances.length + 1);
    for (const [events, chance] of chances.entries()) {
      if (chance === 0) continue;
      const more = chance * options.chance(trials - 1, events);
      next[events + 1]! += more;
      next[events]! += chance - more;
    }
    for (const [events, chance] of next.entries()) {
      if (chance < 1e-18) continue;
      const counts = { trials, events, remaining: options.remaining(trials) };
      const { verdict, certain } = createRateTest({ limit: options.limit, alpha }).look(counts);
      if (verdict === "inconclusive" || (certain && events === options.limit * options.looks)) continue;
      said[verdict] += chance;
      next[events] = 0;
    }
    chances = next.subarray(0, lastUsed(next) + 1);
  }
  return said;
}

function lastUsed(chances: Float64Array): number {
  return chances.findLastIndex((chance) => chance > 0);
}

describe("with the rate exactly at the limit, watched at every request", () => {
  test.each([
    [0.001, 3000],
    [0.01, 3000],
    [0.1, 1000],
    [0.5, 500],
    [0.99, 1000],
  ])("a stream at %f is misjudged with a probability of alpha at most", (limit, looks) => {
    const said = verdictChances({ limit, looks, remaining: () => Infinity, chance: () => limit });
    expect(said.fail).toBeLessThanOrEqual(alpha);
    expect(said.pass).toBeLessThanOrEqual(alpha);
    // The bound is used, not just kept.
    expect(said.fail + said.pass).toBeGreaterThan(0.001);
  });

  test.each<[number, number, number, Verdict]>([
    [0.01, 1000, 10, "fail"],
    [0.01, 1000, 11, "pass"],
    [0.1, 2000, 201, "pass"],
    [0.1, 400, 40, "fail"],
    [0.1, 400, 41, "pass"],
    [0.5, 200, 100, "fail"],
    [0.5, 200, 101, "pass"],
    [0.013, 500, 6, "fail"],
    [0.013, 500, 7, "pass"],
  ])("a limit of %f on a selection of %i with %i events: false %s", (limit, size, total, wrong) => {
    const said = verdictChances({
      limit,
      looks: size,
      remaining: (trials) => size - trials,
      chance: (trials, events) => (total - events) / (size - trials),
    });
    expect(said[wrong as keyof Chances]).toBeLessThanOrEqual(alpha);
    // Read to its end every selection is judged, but for the share at the limit that only its last request decides.
    if (total !== limit * size) expect(said.fail + said.pass).toBeCloseTo(1, 9);
  });

  test.each([
    [0.1, 160, 120, 12],
    [0.1, 160, 120, 13],
    [0.05, 200, 100, 5],
    [0.05, 200, 100, 6],
    [0.01, 250, 200, 2],
    [0.01, 250, 200, 3],
    [0.5, 100, 60, 30],
    [0.5, 100, 60, 31],
  ])(
    "a limit of %f on a selection of %i of which %i come to count, with %i events",
    (limit, size, counting, total) => {
      const said = selectionChances({ limit, size, counting, total });
      if (total <= limit * counting) expect(said.fail).toBeLessThanOrEqual(alpha);
      if (total >= limit * counting) expect(said.pass).toBeLessThanOrEqual(alpha);
    },
  );
});

/** The same, where only reading a request tells whether it counts. */
function selectionChances(options: {
  limit: number;
  size: number;
  counting: number;
  total: number;
}): Chances {
  const { limit, size, counting, total } = options;
  const said: Chances = { fail: 0, pass: 0 };
  const width = total + 1;
  let chances = new Float64Array((counting + 1) * width);
  chances[0] = 1;
  for (let read = 1; read <= size; read++) {
    const next = new Float64Array(chances.length);
    for (const [state, chance] of chances.entries()) {
      if (chance < 1e-18) continue;
      const events = state % width;
      const trials = (state - events) / width;
      const left = size - read + 1;
      const toEvent = (total - events) / left;
      const toOther = (counting - total - (trials - events)) / left;
      for (const [to, share] of [
        [state + width + 1, toEvent],
        [state + width, toOther],
        [state, 1 - toEvent - toOther],
      ] as const) {
        if (share > 1e-12) next[to]! += chance * share;
      }
    }
    for (const [state, chance] of next.entries()) {
      if (chance < 1e-18) continue;
      const events = state % width;
      const counts = { trials: (state - events) / width, events, remaining: size - read };
      const { verdict, certain } = createRateTest({ limit, alpha }).look(counts);
      if (verdict === "inconclusive" || (certain && total <= limit * counting && verdict === "pass"))
        continue;
      said[verdict] += chance;
      next[state] = 0;
    }
    chances = next;
  }
  return said;
}
