import { setImmediate as breath } from "node:timers/promises";
import { createRateTest } from "../src/stats/rate-test.js";
import { wilson } from "../src/stats/wilson.js";
import type { BenchContext, BenchResult } from "./bench.js";
import { latencyErrors } from "./stats-latency.js";
import { runLengths } from "./stats-monitoring.js";
import { burstyTraffic, seededRandom, shuffle } from "./stats-streams.js";

// A gate looks while it reads. Here everything is looked at after every single request, which is the hardest use: 1,000
// streams whose rate is exactly at the limit, how many of them are ever told a verdict, and how soon a real change
// is seen. Wilson's interval, looked at as often, stands beside, as does bursty traffic in the order of time.

const alpha = 0.05;
const streams = 1000;

/** How many streams were ever told each verdict. */
interface Errors {
  fail: number;
  pass: number;
}

type Look = (trials: number, events: number) => "pass" | "fail" | null;

export async function bench({ say }: BenchContext): Promise<BenchResult> {
  const random = seededRandom(6);
  say(`share of ${streams} streams, watched at every request, that are told a false verdict; alpha ${alpha}`);
  const live = await liveErrors(say, random);
  const sealed = await sealedErrors(say, random);
  await sayWhy(say, random);
  const detectionVsWald = await detections(say, random);
  await runLengths(say, random);
  const latency = await latencyErrors(say, random, alpha);
  return {
    ratios: {
      alpha,
      false_fail_rate: Math.max(live.fail, sealed.fail, latency.fail),
      false_pass_rate: Math.max(live.pass, sealed.pass, latency.pass),
      detection_vs_wald: detectionVsWald,
    },
    missing: [],
  };
}

/** The product's own test, at every request. */
function testLook(limit: number, remainingAfter: (trials: number) => number): Look {
  const test = createRateTest({ limit, alpha });
  return (trials, events) => {
    const { verdict, certain } = test.look({ trials, events, remaining: remainingAfter(trials) });
    // That a limit is met exactly is no error when everything has been read: it is known then.
    const known = certain && verdict === "pass" && events <= limit * trials;
    return verdict === "inconclusive" || known ? null : verdict;
  };
}

function wilsonLook(limit: number): Look {
  return (trials, events) => {
    const [low, high] = wilson(events, trials, 1.6448536269514722);
    // Its upper end is no bound at all before some thirty requests.
    if (trials < 30) return null;
    if (low > limit) return "fail";
    return high < limit ? "pass" : null;
  };
}

async function errorsOf(stream: () => readonly boolean[], looks: () => Look): Promise<Errors> {
  const told = { fail: 0, pass: 0 };
  for (let count = 0; count < streams; count++) {
    // A signal is heard between two streams.
    await breath();
    const verdict = firstVerdict(stream(), looks());
    if (verdict !== null) told[verdict] += 1;
  }
  return { fail: told.fail / streams, pass: told.pass / streams };
}

function firstVerdict(requests: readonly boolean[], look: Look): "pass" | "fail" | null {
  let events = 0;
  for (const [index, event] of requests.entries()) {
    if (event) events += 1;
    const verdict = look(index + 1, events);
    if (verdict !== null) return verdict;
  }
  return null;
}

/** Over all limits together, so that chance moves the share by a third of a percent and not by a whole one. */
async function liveErrors(say: BenchContext["say"], random: () => number): Promise<Errors> {
  const cases = [
    [0.01, 20_000],
    [0.1, 5000],
    [0.001, 20_000],
  ] as const;
  const all: Errors[] = [];
  for (const [limit, length] of cases) {
    const stream = () => Array.from({ length }, () => random() < limit);
    const errors = await errorsOf(stream, () => testLook(limit, () => Infinity));
    say(`  live, rate at the limit of ${percent(limit)}, ${length} requests: ${shares(errors)}`);
    all.push(errors);
  }
  return { fail: mean(all.map(({ fail }) => fail)), pass: mean(all.map(({ pass }) => pass)) };
}

/**
 * Bursty traffic, sealed: at the limit, where neither verdict may come before everything is known; and with one event
 * more, where a pass is false to the very end.
 */
async function sealedErrors(say: BenchContext["say"], random: () => number): Promise<Errors> {
  const cases = [
    [0.01, 5000],
    [0.1, 2000],
  ] as const;
  const all: { fail: number; passes: number[] }[] = [];
  for (const [limit, size] of cases) {
    const looks = () => testLook(limit, (trials) => size - trials);
    const order = (events: number) => () => shuffle(burstyTraffic(size, events, random), random);
    const atLimit = await errorsOf(order(Math.round(limit * size)), looks);
    const { pass } = await errorsOf(order(Math.round(limit * size) + 1), looks);
    say(`  sealed selection of ${size}, bursty, at the limit of ${percent(limit)}: ${shares(atLimit)}`);
    say(`    with one mismatch more, read to its end: false passes ${percent(pass)}`);
    all.push({ fail: atLimit.fail, passes: [atLimit.pass, pass] });
  }
  return { fail: mean(all.map(({ fail }) => fail)), pass: mean(all.flatMap(({ passes }) => passes)) };
}

async function sayWhy(say: BenchContext["say"], random: () => number): Promise<void> {
  say("why not otherwise:");
  const live = () => Array.from({ length: 20_000 }, () => random() < 0.01);
  say(
    `  Wilson's interval at the same alpha, peeked at: ${shares(await errorsOf(live, () => wilsonLook(0.01)))}`,
  );
  const inTime = await errorsOf(
    () => burstyTraffic(5000, 50, random),
    () => testLook(0.01, () => Infinity),
  );
  say(`  the same bursty traffic in order of time, unsealed: ${shares(inTime)}`);
}

/**
 * Mean requests up to a fail, over Wald's bound ln(1/α) / KL(rate ‖ limit): no test of that level is faster on
 * average.
 */
async function detections(say: BenchContext["say"], random: () => number): Promise<number> {
  say("mean requests up to the verdict, over Wald's bound:");
  const cases = [
    [0.01, 0.02],
    [0.001, 0.005],
    [0.01, 0.012],
    [0.01, 0.005],
    [0.01, 0.001],
  ] as const;
  const ratios: number[] = [];
  for (const [limit, rate] of cases) {
    const bound = -Math.log(alpha) / divergence(rate, limit);
    const runs = bound > 5000 ? streams / 5 : streams;
    let requests = 0;
    let wrong = 0;
    for (let run = 0; run < runs; run++) {
      await breath();
      const seen = untilVerdict(limit, rate, random);
      requests += seen.trials;
      if (seen.verdict !== (rate > limit ? "fail" : "pass")) wrong += 1;
    }
    const ratio = requests / runs / bound;
    const line = `${percent(limit)} → ${percent(rate)}: ${Math.round(requests / runs)} requests`;
    say(`  ${line}, ${ratio.toFixed(2)} times ${Math.round(bound)}; told wrongly ${percent(wrong / runs)}`);
    ratios.push(ratio);
  }
  return ratios[0]!;
}

function untilVerdict(limit: number, rate: number, random: () => number) {
  const test = createRateTest({ limit, alpha });
  let events = 0;
  for (let trials = 1; ; trials++) {
    if (random() < rate) events += 1;
    const { verdict } = test.look({ trials, events, remaining: Infinity });
    if (verdict !== "inconclusive") return { verdict, trials };
  }
}

/** Kullback and Leibler's, of a coin of one rate from a coin of another, in nats. */
function divergence(rate: number, limit: number): number {
  return rate * Math.log(rate / limit) + (1 - rate) * Math.log((1 - rate) / (1 - limit));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function shares({ fail, pass }: Errors): string {
  return `false fails ${percent(fail)}, false passes ${percent(pass)}`;
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
