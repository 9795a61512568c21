import { setImmediate as breath } from "node:timers/promises";
import { createLatencyTest } from "../src/stats/latency-test.js";
import type { BenchContext } from "./bench.js";

/**
 * The latency test with equal p99 on both sides, looked at every tenth more, and how many pairs a real difference
 * takes.
 */
export async function latencyErrors(
  say: BenchContext["say"],
  random: () => number,
  alpha: number,
): Promise<{ fail: number; pass: number }> {
  const streams = 400;
  const told = { fail: 0, pass: 0, inconclusive: 0 };
  for (let count = 0; count < streams; count++) {
    await breath();
    told[untilLatencyVerdict({ slower: 1, regression: 0, alpha, pairsMax: 5000, random }).verdict] += 1;
  }
  const shares = { fail: told.fail / streams, pass: told.pass / streams };
  const percents = `false fails ${(100 * shares.fail).toFixed(1)} %, false passes ${(100 * shares.pass).toFixed(1)} %`;
  say(`p99 against the control's, equal on both sides, ${streams} streams of 5,000 pairs: ${percents}`);
  for (const [slower, regression] of [
    [1.3, 0.1],
    [1, 0.1],
    [1, 0.3],
  ] as const) {
    const runs = 40;
    let pairs = 0;
    for (let run = 0; run < runs; run++) {
      await breath();
      pairs += untilLatencyVerdict({ slower, regression, alpha, pairsMax: 200_000, random }).pairs;
    }
    say(
      `  p99 ${slower} times the control's, ${1 + regression} allowed: a verdict after ${Math.round(pairs / runs)} pairs`,
    );
  }
  return shares;
}

function untilLatencyVerdict(options: {
  slower: number;
  regression: number;
  alpha: number;
  pairsMax: number;
  random: () => number;
}) {
  const { slower, regression, alpha, pairsMax, random } = options;
  const test = createLatencyTest({ quantile: 0.99, regression, alpha });
  const candidateMs = new Float64Array(pairsMax);
  const controlMs = new Float64Array(pairsMax);
  let drawn = 0;
  for (let pairs = 200; ; pairs = Math.min(pairsMax, Math.ceil(pairs * 1.1))) {
    for (; drawn < pairs; drawn++) {
      const shared = 0.3 * normal(random);
      candidateMs[drawn] = slower * 10 * Math.exp(shared + 0.3 * normal(random));
      controlMs[drawn] = 10 * Math.exp(shared + 0.3 * normal(random));
    }
    const { verdict } = test.look({
      candidateMs: candidateMs.subarray(0, pairs),
      controlMs: controlMs.subarray(0, pairs),
      remaining: Infinity,
    });
    if (verdict !== "inconclusive" || pairs === pairsMax) return { verdict, pairs };
  }
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
