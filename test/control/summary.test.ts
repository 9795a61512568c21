import { expect, test } from "vitest";
import { summary as summarySchema } from "../../src/control/api.js";
import { summaryOf } from "../../src/control/summary.js";
import { bucketOf } from "../../src/stats/sketch.js";
import { wilson } from "../../src/stats/wilson.js";
import type { SeriesCounts } from "../../src/store/types.js";

const series = (counts: Record<string, number>, max: number | null = null): SeriesCounts => ({
  counts: new Map(Object.entries(counts)),
  sketch: new Map(),
  max,
});

/** A sketch of these values, as the facts of a run add up to. */
function sketch(values: number[]): SeriesCounts {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(bucketOf(value), (counts.get(bucketOf(value)) ?? 0) + 1);
  return { counts: new Map(), sketch: counts, max: Math.max(...values) };
}

test("rates are of what was compared; failures of the candidate are apart", () => {
  const found = summaryOf(
    7,
    new Map([
      ["results", series({ match: 80, mismatch: 10, ignored: 5, incomparable: 3, candidate_error: 2 })],
      ["decisions", series({ same: 57, flip: 3 })],
    ]),
  );
  expect(found).toMatchObject({
    run: 7,
    samples: 90,
    mismatches: 10,
    ignored: 5,
    incomparable: 3,
    diffRate: 10 / 90,
    diffRateInterval: wilson(10, 90),
    decisionFlipRate: 3 / 60,
    errorRate: 2 / 100,
    verdict: null,
  });
  expect(summarySchema.parse(found)).toEqual(found);
});

test("without data no rate is 0", () => {
  expect(summaryOf(1, new Map())).toEqual({
    run: 1,
    samples: 0,
    mismatches: 0,
    ignored: 0,
    incomparable: 0,
    diffRate: null,
    diffRateInterval: [0, 1],
    decisionFlipRate: null,
    errorRate: null,
    ledgerCheck: null,
    verdict: null,
    noise: null,
    outputs: [],
    latency: {
      primary: { p50: null, p90: null, p95: null, p99: null },
      candidate: { p50: null, p90: null, p95: null, p99: null },
    },
  });
});

test("only failures: an error rate of 1, and no diff rate", () => {
  const found = summaryOf(1, new Map([["results", series({ candidate_error: 4 })]]));
  expect(found).toMatchObject({ samples: 0, diffRate: null, errorRate: 1 });
});

test("outputs by name, whatever their names hold", () => {
  const { outputs } = summaryOf(
    1,
    new Map([
      ["output/z", series({ match: 4, mismatch: 2, ignored: 1, "kind:value": 2, "kind:shape": 1 })],
      ["abs/z", sketch([0, 0, 0.5, 0.5, 4])],
      ["rel/z", series({ n: 5 }, Number.POSITIVE_INFINITY)],
      ["output/a/b", series({ match: 1 })],
    ]),
  );
  expect(outputs).toEqual([
    {
      name: "a/b",
      compared: 1,
      mismatches: 0,
      maxAbs: null,
      p50Abs: null,
      p99Abs: null,
      maxRel: null,
      aboveNoise: null,
      kinds: {},
      confusion: [],
    },
    {
      name: "z",
      compared: 7,
      mismatches: 2,
      maxAbs: 4,
      p50Abs: expect.closeTo(0.5, 2),
      p99Abs: expect.closeTo(0.5, 2),
      maxRel: Number.POSITIVE_INFINITY,
      aboveNoise: null,
      kinds: { value: 2, shape: 1 },
      confusion: [],
    },
  ]);
});

test("latency quantiles are within 1 %, and never above the largest", () => {
  const values = Array.from({ length: 1000 }, (_, i) => i + 1);
  const { latency } = summaryOf(
    1,
    new Map([
      ["latency/primary", sketch(values)],
      ["latency/candidate", sketch([3])],
      ["latency/control", sketch([2])],
    ]),
  );
  for (const [name, exact] of [
    ["p50", 500],
    ["p90", 900],
    ["p95", 950],
    ["p99", 990],
  ] as const) {
    expect(Math.abs(latency.primary[name]! / exact - 1)).toBeLessThan(0.01);
  }
  expect(latency.candidate.p99!).toBeLessThanOrEqual(3);
  expect(latency.control).toBeDefined();
});

test("noise: what the control made of the same requests, by output and shape, and what exceeds it", () => {
  const found = summaryOf(
    1,
    new Map([
      ["output/z", series({ match: 4, mismatch: 2 })],
      ["abs/z", sketch([0, 0.25, 0.5, 0.5, 0.6, 4])],
      ["output/text", series({ match: 6 })],
      ["noise", series({ match: 8, mismatch: 1, error: 3 })],
      ["noise/z@[1,4]", sketch([0, 0, 0.25])],
      ["noise/z@[2,4]", sketch([0, 0.5])],
      ["noise-rel/z@[2,4]", series({ n: 2 }, 0.125)],
      ["noise/odd@[x@[]", sketch([0])],
    ]),
  );
  expect(found.noise).toEqual({
    samples: 9,
    mismatches: 1,
    errors: 3,
    outputs: [
      { name: "odd@[x", shape: [], samples: 1, p99Abs: 0, maxAbs: 0, maxRel: null },
      { name: "z", shape: [1, 4], samples: 3, p99Abs: 0, maxAbs: 0.25, maxRel: null },
      { name: "z", shape: [2, 4], samples: 2, p99Abs: 0, maxAbs: 0.5, maxRel: 0.125 },
    ],
  });
  expect(found.outputs.map(({ name, aboveNoise }) => [name, aboveNoise])).toEqual([
    ["text", null],
    ["z", 2],
  ]);
  expect(summarySchema.parse(found)).toEqual(found);
});

test("a noise floor of 0: whatever differs at all is above it", () => {
  const { outputs } = summaryOf(
    1,
    new Map([
      ["output/z", series({ match: 3 })],
      ["abs/z", sketch([0, 1e-30, 1])],
      ["noise", series({ match: 3 })],
      ["noise/z@[4]", sketch([0, 0, 0])],
    ]),
  );
  expect(outputs[0]!.aboveNoise).toBe(2);
});

test("decisions that changed, the most frequent first, at most 90", () => {
  const changes = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${i}→${i + 1}`, i + 1]));
  const { outputs } = summaryOf(
    1,
    new Map([
      ["output/z", series({ mismatch: 9 })],
      ["confusion/z", series(changes)],
      ["output/y", series({ mismatch: 9 })],
      ["confusion/y", series({ "a→b→c": 1 })],
    ]),
  );
  expect(outputs[1]!.confusion).toHaveLength(90);
  expect(outputs[1]!.confusion[0]).toEqual({ from: "99", to: "100", count: 100 });
  expect(outputs[0]!.confusion).toEqual([{ from: "a", to: "b→c", count: 1 }]);
});
