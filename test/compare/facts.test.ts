import { describe, expect, test } from "vitest";
import { factsOf, type OutcomeContext } from "../../src/compare/facts.js";
import { judge } from "../../src/compare/judge.js";
import type { Policy } from "../../src/compare/policy.js";
import { bucketOf } from "../../src/stats/sketch.js";
import { answered, failed, tensor } from "./tensors.js";

const policy: Policy = {
  outputs: { "*": { rule: "numpy", atol: 0.1, rtol: 0, decision: { type: "argmax" } } },
};
const primary = answered([tensor("FP32", [1, 4]), tensor("BYTES", ["a"], { name: "text" })]);
const candidate = answered([tensor("FP32", [1, 5]), tensor("BYTES", ["a"], { name: "text" })]);
const mismatch = judge(primary, candidate, policy, 0);

const context: OutcomeContext = {
  sample: "base",
  disposition: "compared",
  reason: null,
  primaryMs: 2,
  candidateMs: 3,
  controlMs: null,
};

describe("factsOf", () => {
  test("a comparison", () => {
    expect(factsOf(mismatch, context)).toEqual([
      { series: "dispositions", label: "compared" },
      { series: "results", label: "mismatch" },
      { series: "decisions", label: "same" },
      { series: "signatures", label: mismatch.signature },
      { series: "output/y", label: "mismatch" },
      { series: "output/y", label: "kind:value" },
      { series: "abs/y", label: bucketOf(1), value: 1 },
      { series: "rel/y", label: "n", value: 0.25 },
      { series: "output/text", label: "match" },
      { series: "latency/primary", label: bucketOf(2), value: 2 },
      { series: "latency/candidate", label: bucketOf(3), value: 3 },
    ]);
  });

  test("latency of a control is told when there is one", () => {
    expect(factsOf(mismatch, { ...context, controlMs: 0 })).toContainEqual({
      series: "latency/control",
      label: "zero",
      value: 0,
    });
  });

  test("a targeted sample counts as disposed of, and no more", () => {
    expect(factsOf(mismatch, { ...context, sample: "targeted" })).toEqual([
      { series: "dispositions", label: "compared" },
    ]);
  });

  test("a failure of the candidate has no latency", () => {
    const comparison = judge(primary, failed("timeout"), policy, 0);
    expect(factsOf(comparison, { ...context, disposition: "candidate_error", reason: "timeout" })).toEqual([
      { series: "dispositions", label: "candidate_error:timeout" },
      { series: "results", label: "candidate_error" },
    ]);
  });

  test("a failure of both is compared, and incomparable", () => {
    const comparison = judge(failed("http_5xx"), failed("http_5xx"), policy, 0);
    expect(factsOf(comparison, context)).toEqual([
      { series: "dispositions", label: "compared" },
      { series: "results", label: "incomparable" },
    ]);
  });

  test.each([
    ["not_replayed", "not_assigned", "not_replayed:not_assigned"],
    ["expired", null, "expired"],
    ["dead", null, "dead"],
    ["erased", null, "erased"],
  ] as const)("%s without a comparison", (disposition, reason, label) => {
    expect(factsOf(null, { ...context, disposition, reason, candidateMs: null })).toEqual([
      { series: "dispositions", label },
    ]);
  });
});
