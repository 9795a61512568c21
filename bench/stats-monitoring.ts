import { setImmediate as breath } from "node:timers/promises";
import { advanced, isAlarm, restartedDetector } from "../src/stats/change-detector.js";
import { createRateTest } from "../src/stats/rate-test.js";
import type { BenchContext } from "./bench.js";

type Say = BenchContext["say"];

/** Monitoring: the detector's run length at the limit, and what good data of the past do to it and to a test. */
export async function runLengths(say: Say, random: () => number): Promise<void> {
  const stated = 10_000;
  const runs = 100;
  let atLimit = 0;
  let late = 0;
  let testLate = 0;
  for (let run = 0; run < runs; run++) {
    await breath();
    atLimit += untilAlarm({ rate: 0.01, stated, history: 0, random });
    late += untilAlarm({ rate: 0.03, stated, history: 100_000, random });
  }
  const testRuns = 5;
  for (let run = 0; run < testRuns; run++) {
    await breath();
    testLate += untilFail(0.03, 100_000, random);
  }
  say(`detector of changes, limit 1 %, one false alarm in ${stated} requests stated:`);
  say(`  at the limit an alarm every ${Math.round(atLimit / runs)} requests`);
  say(`  3 % after 100,000 requests at 0.5 %: alarm after ${Math.round(late / runs)} requests`);
  say(`  a test of the rate would say so after ${Math.round(testLate / testRuns)}`);
}

function untilAlarm(options: {
  rate: number;
  stated: number;
  history: number;
  random: () => number;
}): number {
  const { rate, stated, history, random } = options;
  let detector = restartedDetector();
  // A history that raised no alarm; its mean behaviour will do.
  for (let good = 0; good < history; good += 200) {
    detector = advanced(detector, { trials: 200, events: 1 }, 0.01);
  }
  for (let requests = 1; ; requests++) {
    detector = advanced(detector, { trials: 1, events: random() < rate ? 1 : 0 }, 0.01);
    if (isAlarm(detector, stated)) return requests;
  }
}

function untilFail(rate: number, history: number, random: () => number): number {
  let events = history / 200;
  for (let requests = 1; ; requests++) {
    if (random() < rate) events += 1;
    // A fresh test, since one that has passed stays passed: what matters is when its evidence would turn.
    const test = createRateTest({ limit: 0.01, alpha: 0.05 });
    const counts = { trials: history + requests, events, remaining: Infinity };
    if (test.look(counts).verdict === "fail") return requests;
  }
}
