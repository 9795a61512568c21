import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evidenceOver, evidenceUnder } from "../../src/stats/evidence.js";
import { rateBounds } from "../../src/stats/rate-bounds.js";
import { wilson } from "../../src/stats/wilson.js";
import { seeded } from "./random.js";

const needed = Math.log(20);
const counts = fc
  .record({
    trials: fc.integer({ min: 1, max: 5000 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    remaining: fc.constantFrom(Infinity, 0, 1, 50, 3000),
  })
  .map(({ trials, share, remaining }) => ({ trials, events: Math.floor(share * trials), remaining }));

describe("bounds of a rate", () => {
  test("hold the rate seen, and leave out the limits that the tests refute", () => {
    fc.assert(
      fc.property(counts, (seen) => {
        const [low, high] = rateBounds(seen, 0.05);
        const rate = seen.events / seen.trials;
        expect(low).toBeLessThanOrEqual(rate);
        expect(high).toBeGreaterThanOrEqual(rate);
        if (seen.remaining === 0) return;
        if (low > 0) expect(evidenceOver(low)(seen)).toBeGreaterThanOrEqual(needed);
        if (high < 1) expect(evidenceUnder(high)(seen)).toBeGreaterThanOrEqual(needed);
        expect(evidenceOver(low + 1e-9)(seen) >= needed && low + 1e-9 < rate).toBe(false);
        expect(evidenceUnder(high - 1e-9)(seen) >= needed && high - 1e-9 > rate).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  test("of a stream: evidence over a limit falls as the limit rises", () => {
    const limit = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(counts, limit, limit, (seen, one, other) => {
        const stream = { ...seen, remaining: Infinity };
        const [lower, higher] = one < other ? [one, other] : [other, one];
        return evidenceOver(lower)(stream) >= evidenceOver(higher)(stream) - 1e-9;
      }),
    );
  });

  test("know nothing without trials, and everything when all was read", () => {
    expect(rateBounds({ trials: 0, events: 0, remaining: Infinity }, 0.025)).toEqual([0, 1]);
    expect(rateBounds({ trials: 0, events: 0, remaining: 0 }, 0.025)).toEqual([0, 1]);
    expect(rateBounds({ trials: 50, events: 3, remaining: 0 }, 0.025)).toEqual([0.06, 0.06]);
  });

  test("are wider than Wilson's, and not by much", () => {
    const [low, high] = rateBounds({ trials: 10_000, events: 200, remaining: Infinity }, 0.025);
    const [wilsonLow, wilsonHigh] = wilson(200, 10_000);
    expect(low).toBeLessThan(wilsonLow);
    expect(high).toBeGreaterThan(wilsonHigh);
    expect(high - low).toBeLessThan(2 * (wilsonHigh - wilsonLow));
  });

  test("of a sealed selection close in as it is read", () => {
    const [low, high] = rateBounds({ trials: 900, events: 90, remaining: 100 }, 0.025);
    const stream = rateBounds({ trials: 900, events: 90, remaining: Infinity }, 0.025);
    expect(high - low).toBeLessThan((stream[1] - stream[0]) / 2);
    expect(low).toBeGreaterThanOrEqual(90 / 1000 - 1e-9);
    expect(high).toBeLessThanOrEqual(190 / 1000 + 1e-9);
  });

  test("miss the true rate at any of their looks in fewer streams than they say", () => {
    // 400 streams: with a chance of 5 % at most, more than 34 miss with a probability under 0.1 % (binomial).
    const random = seeded(61);
    let missed = 0;
    for (let stream = 0; stream < 400; stream++) {
      let events = 0;
      for (let trials = 1; trials <= 1000; trials++) {
        if (random() < 0.05) events += 1;
        if (trials % 50 !== 0) continue;
        const [low, high] = rateBounds({ trials, events, remaining: Infinity }, 0.025);
        if (low <= 0.05 && 0.05 <= high) continue;
        missed += 1;
        break;
      }
    }
    expect(missed).toBeLessThanOrEqual(34);
  });
});
