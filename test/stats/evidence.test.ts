import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  allowedEvents,
  alternativeLogWeights,
  alternativeShifts,
  evidenceOver,
  evidenceUnder,
} from "../../src/stats/evidence.js";

const limits = fc.constantFrom(0, 0.001, 0.01, 0.013, 0.1, 0.5, 0.9, 0.99, 1);
const sizes = fc.integer({ min: 1, max: 400 });
const fraction = fc.double({ min: 0, max: 1, noNaN: true });

/** Rounding of logarithms of numbers of hundreds. */
const rounding = 1 + 1e-9;

describe("evidence of a stream", () => {
  test("is a weighted mean of likelihood ratios, multiplied request by request", () => {
    fc.assert(
      fc.property(limits, fc.array(fc.boolean(), { maxLength: 60 }), (limit, requests) => {
        const events = requests.filter(Boolean).length;
        let mean = 0;
        for (const [j, shift] of alternativeShifts.entries()) {
          const odds = Math.exp(shift);
          const alternative = (limit * odds) / (1 - limit + limit * odds);
          let ratio = Math.exp(alternativeLogWeights[j]!);
          for (const event of requests) {
            if (limit > 0 && limit < 1)
              ratio *= event ? alternative / limit : (1 - alternative) / (1 - limit);
            else if (limit === 0 && event) ratio = Infinity;
            else if (limit === 1 && !event) ratio /= odds;
          }
          mean += ratio;
        }
        const found = Math.exp(evidenceOver(limit)({ trials: requests.length, events, remaining: Infinity }));
        return found === mean || Math.abs(found - mean) <= 1e-9 * mean;
      }),
    );
  });

  test("does not grow on average while the chance of an event is within the limit", () => {
    fc.assert(
      fc.property(limits, sizes, fraction, fraction, (limit, trials, share, chanceShare) => {
        const events = limit === 0 ? 0 : Math.floor(share * trials);
        const chance = chanceShare * limit;
        const over = evidenceOver(limit);
        const value = (more: number) =>
          over({ trials: trials + 1, events: events + more, remaining: Infinity });
        const before = over({ trials, events, remaining: Infinity });
        const growth = mean(chance, value(1) - before, value(0) - before);
        return growth <= rounding;
      }),
    );
  });

  test("under a limit mirrors evidence over it", () => {
    fc.assert(
      fc.property(limits, sizes, fraction, (limit, trials, share) => {
        const events = Math.floor(share * trials);
        const counts = { trials, events, remaining: Infinity };
        const mirrored = { trials, events: trials - events, remaining: Infinity };
        return Object.is(evidenceUnder(limit)(counts), evidenceOver(1 - limit)(mirrored));
      }),
    );
  });

  test("stays finite after a billion requests", () => {
    const counts = { trials: 1e9, events: 2e7, remaining: Infinity };
    expect(evidenceOver(0.01)(counts)).toBeGreaterThan(1e6);
    expect(evidenceOver(0.01)(counts)).toBeLessThan(Infinity);
    expect(evidenceUnder(0.01)(counts)).toBeLessThan(-1e5);
  });
});

describe("evidence of a sealed selection", () => {
  test("does not grow on average while the whole is within the limit", () => {
    fc.assert(
      fc.property(limits, sizes, fraction, fraction, fraction, (limit, size, total, part, share) => {
        const all = Math.floor(total * Math.floor(allowedEvents(limit, size)));
        const trials = Math.floor(part * (size - 1));
        const events = between(Math.max(0, trials - (size - all)), Math.min(all, trials), share);
        const over = evidenceOver(limit);
        const remaining = size - trials;
        const before = over({ trials, events, remaining });
        if (before === -Infinity) return true;
        const value = (more: number) =>
          over({ trials: trials + 1, events: events + more, remaining: remaining - 1 });
        const chance = (all - events) / remaining;
        const growth = mean(chance, value(1) - before, value(0) - before);
        return growth <= rounding;
      }),
      { numRuns: 1000 },
    );
  });

  test("comes to that of a stream as the selection grows", () => {
    const stream = evidenceOver(0.01)({ trials: 1000, events: 20, remaining: Infinity });
    const selection = evidenceOver(0.01)({ trials: 1000, events: 20, remaining: 1e9 });
    expect(selection).toBeCloseTo(stream, 4);
    expect(evidenceOver(0.01)({ trials: 1000, events: 20, remaining: 2000 })).toBeGreaterThan(stream + 0.5);
  });

  test("is endless once more events were seen than the limit allows", () => {
    expect(evidenceOver(0.01)({ trials: 5, events: 2, remaining: 195 })).toBeLessThan(Infinity);
    expect(evidenceOver(0.01)({ trials: 5, events: 3, remaining: 195 })).toBe(Infinity);
  });
});

test.each([
  [0.99, 100_000, 99_000],
  [0.1, 30, 3],
  [0.07, 100, 7],
  [0.07, 150, 10.5],
  [0.001, 1, 0.001],
])("a limit of %f allows of %i events %f", (limit, size, allowed) => {
  expect(allowedEvents(limit, size)).toBeCloseTo(allowed, 12);
  if (Number.isInteger(allowed)) expect(allowedEvents(limit, size)).toBe(allowed);
});

/** Mean factor, of one that comes with probability `chance` and another; what cannot happen does not count. */
function mean(chance: number, logIfEvent: number, logIfNot: number): number {
  return (
    (chance > 0 ? chance * Math.exp(logIfEvent) : 0) + (chance < 1 ? (1 - chance) * Math.exp(logIfNot) : 0)
  );
}

function between(low: number, high: number, share: number): number {
  return low + Math.floor(share * (high - low));
}
