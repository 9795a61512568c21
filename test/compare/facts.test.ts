import { describe, expect, test } from "vitest";
import type { DecisionPolicy } from "../../src/compare/decision-policy.js";
import { factsOf, type OutcomeContext } from "../../src/compare/facts.js";
import { judge } from "../../src/compare/judge.js";
import type { Policy } from "../../src/compare/policy.js";
import { bucketOf } from "../../src/stats/sketch.js";
import type { Tensor } from "../../src/tensor/tensor.js";
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
      { series: "abs/y", bucket: bucketOf(1), value: 1 },
      { series: "rel/y", label: "n", value: 0.25 },
      { series: "output/text", label: "match" },
      { series: "latency/primary", bucket: bucketOf(2), value: 2 },
      { series: "latency/candidate", bucket: bucketOf(3), value: 3 },
    ]);
  });

  describe("of changed decisions", () => {
    const by = (decision: DecisionPolicy, ignore?: { reason: string }): Policy => ({
      outputs: { "*": { rule: "numpy", atol: 9, rtol: 0, decision, ...(ignore && { ignore }) } },
    });
    const confusions = (before: Tensor, after: Tensor, policy: Policy) =>
      factsOf(judge(answered([before]), answered([after]), policy, 0), context)
        .filter(({ series }) => series.startsWith("confusion/"))
        .map((fact) => [fact.series, "label" in fact && fact.label]);
    const argmax = by({ type: "argmax" });
    const rows = tensor("FP32", [1, 0, 1, 0, 1, 0, 0, 1], { shape: [4, 2] });
    const others = tensor("FP32", [0, 1, 0, 1, 1, 0, 1, 0], { shape: [4, 2] });

    test("count comparisons, once for each change", () => {
      expect(confusions(rows, others, argmax)).toEqual([
        ["confusion/y", "0→1"],
        ["confusion/y", "1→0"],
      ]);
    });

    test("none without a flip, and none of an output that is ignored", () => {
      expect(confusions(rows, rows, argmax)).toEqual([]);
      expect(confusions(rows, others, by({ type: "argmax" }, { reason: "noise" }))).toEqual([]);
    });

    test("of sets tell what left and what came", () => {
      const before = tensor("FP32", [9, 8, 7, 0]);
      const after = tensor("FP32", [9, 8, 0, 7]);
      expect(confusions(before, after, by({ type: "topk", k: 3 }))).toEqual([["confusion/y", "2→3"]]);
      expect(confusions(before, after, by({ type: "topk", k: 3, ordered: true }))).toEqual([
        ["confusion/y", "0>1>2→0>1>3"],
      ]);
    });

    test("are short, with one arrow", () => {
      const classes = (text: string) => tensor("BYTES", [`1:7:${text}`]);
      const policy = by({ type: "classification", k: 1 });
      const [[, label]] = confusions(classes("x".repeat(99)), classes("a→b"), policy) as [[string, string]];
      expect(label).toBe(`7:${"x".repeat(28)}…→7:a>b`);
      const [[, long]] = confusions(classes("x".repeat(99)), classes("y".repeat(99)), policy) as [
        [string, string],
      ];
      expect(long).toHaveLength(63);
      expect(long.split("→")).toHaveLength(2);
    });

    test("are at most 16 kinds", () => {
      const many = Array.from({ length: 400 }, (_, i) => Number(i % 20 === Math.floor(i / 20)));
      const shape = [20, 20];
      const after = Array.from({ length: 400 }, (_, i) => Number((i + 1) % 20 === Math.floor(i / 20)));
      expect(
        confusions(tensor("FP32", many, { shape }), tensor("FP32", after, { shape }), argmax),
      ).toHaveLength(16);
    });
  });

  test("latency of a control is told when there is one", () => {
    expect(factsOf(mismatch, { ...context, controlMs: 0 })).toContainEqual({
      series: "latency/control",
      bucket: bucketOf(0),
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
