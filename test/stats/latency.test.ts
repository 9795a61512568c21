import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { latencyRatioBounds } from "../../src/stats/latency-bounds.js";
import { createLatencyTest, type LatencyJudgement } from "../../src/stats/latency-test.js";
import { type TailCounts, visitTails } from "../../src/stats/pair-tails.js";
import { normal, seeded, shuffled } from "./random.js";

const latency = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.double({ min: 0, noNaN: true }),
  fc.constant(Infinity),
);

describe("the tails of pairs", () => {
  test("are counted at every value, from the highest down", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(latency, latency), { maxLength: 30 }), (pairs) => {
        const found: TailCounts[] = [];
        visitTails(
          Float64Array.from(pairs, ([x]) => x),
          Float64Array.from(pairs, ([, y]) => y),
          (counts) => found.push({ ...counts }) > 0,
        );
        const bars = [...new Set(pairs.flat().map((value) => value + 0))].sort((a, b) => (a < b ? 1 : -1));
        expect(found).toEqual(
          bars.map((bar) => ({
            suspects: pairs.filter(([x]) => x > bar).length,
            references: pairs.filter(([, y]) => y >= bar).length,
            both: pairs.filter(([x, y]) => x > bar && y >= bar).length,
          })),
        );
      }),
    );
  });

  test("are no longer visited when told so", () => {
    let visits = 0;
    visitTails(Float64Array.of(1, 2, 3), Float64Array.of(1, 2, 3), () => ++visits < 2);
    expect(visits).toBe(2);
  });
});

type Draw = (random: () => number) => [candidateMs: number, controlMs: number];

/** Pairs whose latencies hang together; the candidate's are `factor` times as long. */
const lognormal =
  (factor: number): Draw =>
  (random) => {
    const shared = 0.4 * normal(random);
    return [
      factor * 10 * Math.exp(shared + 0.3 * normal(random)),
      10 * Math.exp(shared + 0.3 * normal(random)),
    ];
  };

function judge(options: {
  draw: Draw;
  seed: number;
  pairs: number;
  regression?: number;
  sealed?: boolean;
}): LatencyJudgement {
  const { draw, seed, pairs, regression = 0, sealed = false } = options;
  const random = seeded(seed);
  const drawn = Array.from({ length: pairs }, () => draw(random));
  const candidateMs = Float64Array.from(drawn, ([ms]) => ms);
  // The same values in another order: of a sealed selection too, both have the same p99.
  const controlMs = Float64Array.from(
    sealed ? shuffled([...candidateMs], random) : drawn.map(([, ms]) => ms),
  );
  const latencyTest = createLatencyTest({ quantile: 0.99, regression, alpha: 0.05 });
  for (let read = 100; ; read = Math.min(pairs, Math.ceil(read * 1.25))) {
    const judgement = latencyTest.look({
      candidateMs: candidateMs.subarray(0, read),
      controlMs: controlMs.subarray(0, read),
      remaining: sealed ? pairs - read : Infinity,
    });
    if (judgement.verdict !== "inconclusive" || read === pairs) return judgement;
  }
}

describe("a latency quantile against the control's", () => {
  test.each<[string, Draw, number, string]>([
    ["twice as slow", lognormal(2), 0.1, "fail"],
    ["a third slower, a tenth allowed", lognormal(1.35), 0.1, "fail"],
    ["as fast, a third allowed", lognormal(1), 0.33, "pass"],
    ["twice as fast", lognormal(0.5), 0, "pass"],
    ["all of the same latency", () => [5, 5], 0.1, "pass"],
    ["all of them the same, nothing allowed", () => [5, 5], 0, "inconclusive"],
    ["2 % never answered", (random) => [random() < 0.02 ? Infinity : 5, 6], 0.1, "fail"],
    ["a faster middle, a slower tail", (random) => (random() < 0.03 ? [90, 30] : [1, 10]), 0.5, "fail"],
  ])("%s", (_name, draw, regression, verdict) => {
    expect(judge({ draw, seed: 3, pairs: 20_000, regression }).verdict).toBe(verdict);
  });

  // 200 streams each: with a chance of 5 % at most, more than 20 err with a probability under 0.2 % (binomial).
  test.each<[string, Draw, boolean]>([
    ["pairs that hang together", lognormal(1), false],
    ["sides that do not", (random) => [random() ** -0.5, random() ** -0.5], false],
    [
      "latencies in whole milliseconds",
      (random) => lognormal(1)(random).map(Math.ceil) as [number, number],
      false,
    ],
    [
      "another shape with the same p99",
      (random) => [random(), random() < 0.02 ? 0.98 + 0.02 * random() : 0],
      false,
    ],
    ["a sealed selection", lognormal(1), true],
  ])("with equal p99 both errors stay within alpha: %s", (_name, draw, sealed) => {
    const wrong = { fail: 0, pass: 0, inconclusive: 0 };
    for (let stream = 0; stream < 200; stream++) {
      wrong[judge({ draw, seed: 1000 + stream, pairs: 2000, sealed }).verdict] += 1;
    }
    expect(Math.max(wrong.fail, wrong.pass)).toBeLessThanOrEqual(20);
  });

  test("bounds of the ratio say what the test says", () => {
    const random = seeded(5);
    const drawn = Array.from({ length: 4000 }, () => lognormal(1.3)(random));
    const sample = {
      candidateMs: Float64Array.from(drawn, ([ms]) => ms),
      controlMs: Float64Array.from(drawn, ([, ms]) => ms),
      remaining: Infinity,
    };
    const [low, high] = latencyRatioBounds(sample, { quantile: 0.99, alphaPerEnd: 0.05 });
    expect(low).toBeLessThan(1.3);
    expect(high).toBeGreaterThan(1.3);
    expect(high / low).toBeLessThan(1.6);
    const verdictAt = (ratio: number) =>
      createLatencyTest({ quantile: 0.99, regression: ratio - 1, alpha: 0.05 }).look(sample).verdict;
    expect(verdictAt(low * 0.999)).toBe("fail");
    expect(verdictAt(low * 1.01)).toBe("inconclusive");
    expect(verdictAt(high * 0.99)).toBe("inconclusive");
    expect(verdictAt(high * 1.001)).toBe("pass");
  });

  test("few pairs, or none, say nothing", () => {
    expect(judge({ draw: lognormal(3), seed: 1, pairs: 100 }).verdict).toBe("inconclusive");
    const none = { candidateMs: new Float64Array(), controlMs: new Float64Array(), remaining: 0 };
    expect(createLatencyTest({ quantile: 0.99, regression: 0, alpha: 0.05 }).look(none).verdict).toBe(
      "inconclusive",
    );
    expect(latencyRatioBounds(none, { quantile: 0.99, alphaPerEnd: 0.05 })).toEqual([0, Infinity]);
  });

  test.each([
    [[1, Number.NaN], [1, 1], "0 ms or more"],
    [[1, -1], [1, 1], "0 ms or more"],
    [[1], [1, 1], "in pairs"],
  ])("%j with %j is refused", (candidateMs, controlMs, message) => {
    const sample = {
      candidateMs: Float64Array.from(candidateMs),
      controlMs: Float64Array.from(controlMs),
      remaining: Infinity,
    };
    const judged = () => createLatencyTest({ quantile: 0.99, regression: 0, alpha: 0.05 }).look(sample);
    expect(judged).toThrow(message);
  });

  test.each([
    [0, 0.1, 0.05],
    [1, 0.1, 0.05],
    [0.99, -1, 0.05],
    [0.99, Number.NaN, 0.05],
    [0.99, 0.1, 0],
  ])("a quantile of %f, a regression of %f, an alpha of %f are refused", (quantile, regression, alpha) => {
    expect(() => createLatencyTest({ quantile, regression, alpha })).toThrow(RangeError);
  });
});
