import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { advanced, detectorValue, isAlarm, restartedDetector } from "../../src/stats/change-detector.js";
import { alternativeShifts, tiltCost } from "../../src/stats/evidence.js";
import { seeded } from "./random.js";

const limit = 0.01;

/** Requests up to the alarm, at `rate`, after `history` of good ones; batches of `batch`. */
function runLength(options: {
  rate: number;
  random: () => number;
  alarm: number;
  batch: number;
  history?: number;
}): number {
  const { rate, random, alarm, batch, history = 0 } = options;
  let detector = restartedDetector();
  for (let good = 0; good < history; good += 100)
    detector = advanced(detector, { trials: 100, events: 0 }, limit);
  for (let requests = batch; ; requests += batch) {
    let events = 0;
    for (let request = 0; request < batch; request++) if (random() < rate) events += 1;
    detector = advanced(detector, { trials: batch, events }, limit);
    if (isAlarm(detector, alarm) || requests > 100 * alarm) return requests;
  }
}

function meanOf(runs: number, measure: () => number): number {
  let sum = 0;
  for (let run = 0; run < runs; run++) sum += measure();
  return sum / runs;
}

describe("the detector of changes", () => {
  test("each term is the sum of the evidence that began at each request", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }), (requests) => {
        let detector = restartedDetector();
        for (const event of requests)
          detector = advanced(detector, { trials: 1, events: event ? 1 : 0 }, limit);
        for (const [j, shift] of alternativeShifts.entries()) {
          let sum = 0;
          for (let start = 0; start < requests.length; start++) {
            const events = requests.slice(start).filter(Boolean).length;
            sum += Math.exp(shift * events - tiltCost(limit, shift) * (requests.length - start));
          }
          if (sum < 1e300 && Math.abs(detector[j]! - sum) > 1e-9 * sum) return false;
        }
        return true;
      }),
    );
  });

  test("its value grows by no more than the requests on average, whatever the batch", () => {
    const chanceOf = [0.99 ** 2, 2 * 0.99 * 0.01, 0.01 ** 2];
    let detector = restartedDetector();
    for (const events of [0, 1, 0, 2, 0]) {
      detector = advanced(detector, { trials: 10, events }, limit);
      const after = chanceOf.map((chance, more) => {
        return chance * detectorValue(advanced(detector, { trials: 2, events: more }, limit));
      });
      const mean = after.reduce((sum, part) => sum + part, 0);
      expect(mean).toBeCloseTo(detectorValue(detector) + 2, 9);
    }
  });

  test.each([1, 50])("at the limit, in batches of %i, runs are as long as stated on average", (batch) => {
    const random = seeded(17);
    // Run lengths spread about as much as their mean: 150 of them have a mean within 8 % or so of its own.
    const mean = meanOf(150, () => runLength({ rate: limit, random, alarm: 2000, batch }));
    expect(mean).toBeGreaterThan(2000);
  });

  test("good data of the past hardly delay the alarm", () => {
    const random = seeded(18);
    const alarm = 100_000;
    const fresh = meanOf(100, () => runLength({ rate: 0.03, random, alarm, batch: 1 }));
    const late = meanOf(100, () => runLength({ rate: 0.03, random, alarm, batch: 1, history: 100_000 }));
    expect(fresh).toBeLessThan(1200);
    expect(late).toBeLessThan(1200);
  });

  test("starts anew when restarted, survives JSON, and stays finite", () => {
    let detector = advanced(restartedDetector(), { trials: 1000, events: 1000 }, limit);
    expect(isAlarm(detector, 1e9)).toBe(true);
    for (let batch = 0; batch < 10; batch++)
      detector = advanced(detector, { trials: 1e6, events: 1e5 }, limit);
    expect(JSON.parse(JSON.stringify(detector))).toEqual(detector);
    expect(detector.every(Number.isFinite)).toBe(true);
    expect(isAlarm(advanced(restartedDetector(), { trials: 100, events: 0 }, limit), 1000)).toBe(false);
  });

  test("a limit of nothing: one event is an alarm, none never is before its time", () => {
    expect(isAlarm(advanced(restartedDetector(), { trials: 10, events: 1 }, 0), 1e12)).toBe(true);
    expect(isAlarm(advanced(restartedDetector(), { trials: 10, events: 0 }, 0), 11)).toBe(false);
  });

  test("an empty batch changes nothing", () => {
    const detector = advanced(restartedDetector(), { trials: 100, events: 3 }, limit);
    expect(advanced(detector, { trials: 0, events: 0 }, limit)).toEqual(detector);
  });
});
