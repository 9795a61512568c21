import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/gate/evidence.js";
import { judgeGate } from "../../src/gate/judge.js";
import { faultsOf } from "../../src/gate/verify.js";
import { counts, criteria, report, sample } from "./report-fixture.js";

const pairs = (candidateMs: number, n = 2_000) => ({
  reference: "control" as const,
  candidateMs: Float64Array.from({ length: n }, (_, i) => candidateMs + (i % 100) / 100),
  referenceMs: Float64Array.from({ length: n }, (_, i) => 1 + ((i + 37) % 100) / 100),
  remaining: Number.POSITIVE_INFINITY,
});

/** Each `every`th request is never answered, from this one on. */
const failing = (ms: Float64Array, every: number, from: number) =>
  ms.map((each, i) => (i % every === from % every ? Number.POSITIVE_INFINITY : each));
const replicas = pairs(1);
const unlucky = (every: { candidate: number; control: number }) => ({
  ...replicas,
  candidateMs: failing(replicas.candidateMs, every.candidate, 0),
  referenceMs: failing(replicas.referenceMs, every.control, 20),
});

describe("the whole verdict", () => {
  test.each([
    ["kept", { maxDiffRate: 0.05 }, sample(), "pass"],
    ["broken", { maxDiffRate: 0.01 }, sample({ counts: counts({ matches: 900, mismatches: 100 }) }), "fail"],
    [
      "too near",
      { maxDiffRate: 0.1 },
      sample({ counts: counts({ matches: 900, mismatches: 100 }) }),
      "inconclusive",
    ],
    ["no limit", {}, sample(), "inconclusive"],
    ["too few", { maxDiffRate: 0.05, minSamples: 2_000 }, sample(), "inconclusive"],
    ["gap", { maxDiffRate: 0.05 }, sample({ counts: counts({ captured: 1_100 }) }), "inconclusive"],
    [
      "gap, erased",
      { maxDiffRate: 0.05 },
      sample({ counts: counts({ captured: 1_100, erased: 100 }) }),
      "pass",
    ],
    ["unbalanced", { maxDiffRate: 0.05 }, sample({ balanced: false }), "inconclusive"],
    [
      "broken and unbalanced",
      { maxDiffRate: 0.01 },
      sample({ balanced: false, counts: counts({ matches: 900, mismatches: 100 }) }),
      "fail",
    ],
    [
      "one kept, one broken",
      { maxDiffRate: 0.05, maxErrorRate: 0.01 },
      sample({
        counts: counts({ captured: 1_200, candidateError: { http_5xx: 200 } }),
      }),
      "fail",
    ],
    ["no control", { maxP99Regression: 0.1 }, sample(), "inconclusive"],
    ["slower", { maxP99Regression: 0.1 }, sample({ latency: pairs(3) }), "fail"],
    ["as fast", { maxP99Regression: 1 }, sample({ latency: pairs(1) }), "pass"],
    [
      "replicas that both fail at times",
      { maxP99Regression: 0.1 },
      sample({ latency: unlucky({ candidate: 50, control: 50 }) }),
      "inconclusive",
    ],
    [
      "held against a control that fails",
      { maxP99Regression: 1 },
      sample({ latency: unlucky({ candidate: 2_000, control: 10 }) }),
      "inconclusive",
    ],
    [
      "failing more than the control",
      { maxP99Regression: 1 },
      sample({ latency: unlucky({ candidate: 10, control: 2_000 }) }),
      "fail",
    ],
    [
      "lagged",
      { maxP99Regression: 1 },
      sample({ latency: pairs(1), latencyVoid: "it lagged" }),
      "inconclusive",
    ],
    [
      "all read, at the limit",
      { maxDiffRate: 0.1 },
      sample({
        remaining: 0,
        counts: counts({ matches: 900, mismatches: 100 }),
      }),
      "pass",
    ],
    [
      "half read, at the limit",
      { maxDiffRate: 0.1 },
      sample({
        remaining: 1_000,
        counts: counts({ matches: 900, mismatches: 100 }),
      }),
      "inconclusive",
    ],
  ] as const)("%s", (_, limits, judged, verdict) => {
    expect(judgeGate(criteria(limits), judged).verdict).toBe(verdict);
  });
});

describe("a report as evidence", () => {
  const kept = report({ maxDiffRate: 0.05 }, sample());
  const read = report(
    { maxDiffRate: 0.1 },
    sample({
      remaining: 0,
      counts: counts({ matches: 900, mismatches: 100 }),
    }),
    { selection: { members: 1_000, read: 1_000 } },
  );
  test.each([
    ["of a live run holds", kept, []],
    ["of a selection holds: it is judged as what it is, and not as a stream", read, []],
    ["says another verdict", { ...kept, verdict: "fail" as const }, ["its parts make pass, not fail"]],
    [
      "has other counts",
      { ...kept, counts: counts({ matches: 500, mismatches: 500 }) },
      ["its counts make diffRate fail, not pass"],
    ],
    [
      "claims to be read to its end",
      { ...read, set: { ...read.set, pending: 500 } },
      ["its counts make diffRate inconclusive, not pass"],
    ],
  ])("%s", (_, given, faults) => {
    expect(faultsOf(given, digestOf(given))).toEqual(faults);
    expect(faultsOf(given, "00")).toEqual([
      "its digest is not that of its report: it was changed",
      ...faults,
    ]);
  });
});
