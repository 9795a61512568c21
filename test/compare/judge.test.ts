import { deflateRawSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge } from "../../src/compare/judge.js";
import type { OutputPolicy, Policy } from "../../src/compare/policy.js";
import { differenceKinds, results } from "../../src/compare/types.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { datatypes } from "../../src/tensor/tensor.js";
import { failureKinds, type Observation } from "../../src/upstream/observation.js";
import { answered, answeredBytes, failed, tensor } from "./tensors.js";

const nowMs = Date.parse("2026-11-22T12:00:00Z");
const numpy: OutputPolicy = { rule: "numpy", atol: 0.1, rtol: 0 };

function policy(output: OutputPolicy = numpy, rest: Partial<Policy> = {}): Policy {
  return { outputs: { "*": output }, ...rest };
}

function judgeOutputs(primary: Tensor[], candidate: Tensor[], by: Policy = policy()) {
  return judge(answered(primary), answered(candidate), by, nowMs);
}

const y = tensor("FP32", [1, 2, 3], { shape: [1, 3] });
const garbage = answeredBytes(Buffer.from("<html>"));

describe("observations", () => {
  test("that both failed are incomparable, whatever the failures", () => {
    for (const primary of failureKinds) {
      for (const candidate of failureKinds) {
        const { result, kind } = judge(failed(primary), failed(candidate), policy(), nowMs);
        expect({ result, kind }).toEqual({ result: "incomparable", kind: "both_failed" });
      }
    }
  });

  test.each([
    ["the primary failed", failed("http_5xx"), answered([y]), "incomparable", "primary_failed"],
    [
      "the primary failed, the candidate is garbage",
      failed("http_5xx"),
      garbage,
      "incomparable",
      "primary_failed",
    ],
    ["the primary is garbage", garbage, answered([y]), "incomparable", "primary_undecodable"],
    ["both are the same garbage", garbage, garbage, "incomparable", "primary_undecodable"],
    ["the candidate is garbage", answered([y]), garbage, "mismatch", "undecodable"],
    ["the candidate is empty", answered([y]), answeredBytes(Buffer.alloc(0)), "mismatch", "undecodable"],
    ...failureKinds.map(
      (failure) =>
        [`the candidate: ${failure}`, answered([y]), failed(failure), "incomparable", failure] as const,
    ),
  ] as const)("%s", (_, primary: Observation, candidate: Observation, result, kind) => {
    const comparison = judge(primary, candidate, policy(), nowMs);
    expect(comparison).toMatchObject({ result, kind });
    expect(comparison.message).toBeTruthy();
    expect(comparison.signature === null).toBe(result !== "mismatch");
  });

  test("an undecodable answer names the outputs it fails to give", () => {
    const { outputs, message } = judge(answered([y]), garbage, policy(), nowMs);
    expect(outputs).toMatchObject([{ output: "y", result: "mismatch", kind: "undecodable", mismatches: 3 }]);
    expect(message).toContain("<html>");
  });

  test("anything at all gets exactly one result", () => {
    const valid = (answered([y, tensor("BYTES", ["a", "b"], { name: "z" })]) as Observation & { ok: true })
      .body;
    const mutated = fc
      .tuple(
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(valid.length),
      )
      .map(([changes, length]) => {
        const body = Uint8Array.from(valid);
        for (const [at, byte] of changes) body[at] = byte;
        return body.subarray(0, length > valid.length / 2 ? valid.length : length);
      });
    const headers = fc.oneof(
      fc.constant({}),
      fc.nat(valid.length + 3).map((n) => ({ "inference-header-content-length": String(n) })),
      fc.string().map((text) => ({ "inference-header-content-length": text, "content-encoding": "gzip" })),
    );
    const observation = fc.oneof(
      fc.tuple(fc.oneof(fc.uint8Array(), mutated), headers).map(([body, head]) => answeredBytes(body, head)),
      fc.constantFrom(...failureKinds).map(failed),
      fc.constant(answered([y])),
    );
    fc.assert(
      fc.property(observation, observation, (primary, candidate) => {
        const comparison = judge(
          primary,
          candidate,
          policy({ ...numpy, decision: { type: "argmax" } }),
          nowMs,
        );
        expect(results).toContain(comparison.result);
        expect(comparison.kind === null).toBe(comparison.result === "match");
        expect(comparison.signature === null).toBe(comparison.result !== "mismatch");
      }),
      { numRuns: 1000 },
    );
  });

  test("content codings are removed, and capped", () => {
    const plain = answered([y], { binary: false }) as Observation & { ok: true };
    const gzipped = answeredBytes(gzipSync(plain.body), { "content-encoding": "gzip" });
    const deflated = answeredBytes(deflateRawSync(plain.body), { "content-encoding": "deflate" });
    expect(judge(gzipped, deflated, policy(), nowMs).result).toBe("match");
    const bomb = answeredBytes(gzipSync(Buffer.alloc(100_000, " ")), { "content-encoding": "gzip" });
    const comparison = judge(plain, bomb, policy(), nowMs, { contentBytesMax: 10_000 });
    expect(comparison).toMatchObject({
      kind: "undecodable",
      message: expect.stringContaining("10000 bytes"),
    });
  });
});

describe("outputs", () => {
  const rows: [string, Tensor[], Tensor[], string, string | null][] = [
    ["the same", [y], [y], "match", null],
    ["within tolerance", [y], [tensor("FP32", [1.05, 2, 3], { shape: [1, 3] })], "match", null],
    ["beyond tolerance", [y], [tensor("FP32", [1.2, 2, 3], { shape: [1, 3] })], "mismatch", "value"],
    ["NaN in the candidate", [y], [tensor("FP32", [1, NaN, 3], { shape: [1, 3] })], "mismatch", "non_finite"],
    ["NaN in both", [tensor("FP32", [NaN])], [tensor("FP32", [NaN])], "mismatch", "non_finite"],
    ["Infinity in both", [tensor("FP32", [Infinity])], [tensor("FP32", [Infinity])], "match", null],
    [
      "Infinity of another sign",
      [tensor("FP16", [0x7c00])],
      [tensor("FP16", [0xfc00])],
      "mismatch",
      "non_finite",
    ],
    ["−0 for 0", [tensor("FP64", [0])], [tensor("FP64", [-0])], "match", null],
    ["subnormals", [tensor("FP32", [1e-45])], [tensor("FP32", [0])], "match", null],
    ["another datatype", [tensor("FP32", [1])], [tensor("FP64", [1])], "mismatch", "dtype"],
    ["a half for a float", [tensor("FP32", [1])], [tensor("FP16", [0x3c00])], "mismatch", "dtype"],
    ["another shape", [y], [tensor("FP32", [1, 2, 3], { shape: [3, 1] })], "mismatch", "shape"],
    ["another rank", [tensor("FP32", [1])], [tensor("FP32", [1], { shape: [] })], "mismatch", "shape"],
    ["fewer elements", [y], [tensor("FP32", [1, 2])], "mismatch", "shape"],
    ["scalars", [tensor("FP32", [1], { shape: [] })], [tensor("FP32", [1], { shape: [] })], "match", null],
    [
      "empty tensors",
      [tensor("FP32", [], { shape: [0, 4] })],
      [tensor("FP32", [], { shape: [0, 4] })],
      "match",
      null,
    ],
    [
      "empty tensors of other shapes",
      [tensor("FP32", [], { shape: [0, 4] })],
      [tensor("FP32", [], { shape: [4, 0] })],
      "mismatch",
      "shape",
    ],
    ["a missing output", [y, tensor("FP32", [1], { name: "z" })], [y], "mismatch", "missing_output"],
    ["an extra output", [y], [y, tensor("FP32", [1], { name: "z" })], "mismatch", "extra_output"],
    ["a renamed output", [y], [{ ...y, name: "Y" }], "mismatch", "missing_output"],
    ["another order", [y, { ...y, name: "z" }], [{ ...y, name: "z" }, y], "match", null],
    ["no outputs", [], [], "match", null],
    ["other text", [tensor("BYTES", ["a", "b"])], [tensor("BYTES", ["a", "c"])], "mismatch", "value"],
    ["the same text", [tensor("BYTES", ["a", "b"])], [tensor("BYTES", ["a", "b"])], "match", null],
    [
      "text split elsewhere",
      [tensor("BYTES", ["ab", "c"])],
      [tensor("BYTES", ["a", "bc"])],
      "mismatch",
      "value",
    ],
    ["true for true", [tensor("BOOL", [1])], [tensor("BOOL", [255])], "match", null],
    ["false for true", [tensor("BOOL", [1])], [tensor("BOOL", [0])], "mismatch", "value"],
  ];
  test.each(rows)("%s", (_, primary, candidate, result, kind) => {
    expect(judgeOutputs(primary, candidate)).toMatchObject({ result, kind });
  });

  test("the gravest kind leads", () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const primary = names.slice(0, 5).map((name) => ({ ...y, name }));
    const candidate = [
      { ...tensor("FP32", [9, 9, 9], { shape: [1, 3] }), name: "a" },
      { ...tensor("FP32", [NaN, 2, 3], { shape: [1, 3] }), name: "b" },
      { ...tensor("FP32", [1, 2, 3], { shape: [3] }), name: "c" },
      { ...tensor("FP64", [1, 2, 3], { shape: [1, 3] }), name: "d" },
      { ...y, name: "f" },
    ];
    const order: (string | null)[] = [];
    for (let without = 0; without <= names.length; without++) {
      const left = names.slice(0, names.length - without);
      const of = (tensors: Tensor[]) => tensors.filter(({ name }) => left.includes(name));
      order.push(judgeOutputs(of(primary), of(candidate)).kind);
    }
    expect(order).toEqual([
      "missing_output",
      "missing_output",
      "dtype",
      "shape",
      "non_finite",
      "value",
      null,
    ]);
    expect(differenceKinds.indexOf("missing_output")).toBeLessThan(differenceKinds.indexOf("extra_output"));
  });

  test("in JSON and in binary are the same outputs", () => {
    const outputs = [tensor("INT64", [2n ** 60n + 1n]), tensor("BYTES", ["ä"], { name: "z" })];
    const comparison = judge(
      answered(outputs, { binary: false }),
      answered(outputs, { binary: true }),
      policy({ rule: "exact" }),
      nowMs,
    );
    expect(comparison.result).toBe("match");
  });

  test("of every datatype are found to differ, and to be the same", () => {
    for (const datatype of datatypes) {
      const [one, other] =
        datatype === "BYTES"
          ? ["a", "b"]
          : datatype.includes("64") && datatype !== "FP64"
            ? [1n, 0n]
            : [1, 0];
      const a = tensor(datatype, [one!, one!]);
      const b = tensor(datatype, [one!, other!]);
      expect(judgeOutputs([a], [a], policy({ rule: "exact" }))).toMatchObject({
        result: "match",
        kind: null,
      });
      const comparison = judgeOutputs([a], [b], policy({ rule: "exact" }));
      expect(comparison).toMatchObject({ result: "mismatch", kind: "value" });
      expect(comparison.outputs[0]).toMatchObject({
        datatype,
        elements: 2,
        mismatches: 1,
        worst: [{ index: [1] }],
      });
    }
  });

  test("tell their worst elements, by multi-index", () => {
    const { outputs, maxAbs, maxRel } = judgeOutputs([y], [tensor("FP32", [1, NaN, 4], { shape: [1, 3] })]);
    expect(outputs[0]!.worst).toEqual([
      { index: [0, 1], primary: 2, candidate: "NaN", absError: NaN },
      { index: [0, 2], primary: 3, candidate: 4, absError: 1 },
    ]);
    expect(outputs[0]).toMatchObject({ nonFinitePrimary: 0, nonFiniteCandidate: 1, mismatches: 2 });
    expect([maxAbs, maxRel]).toEqual([1, 1 / 3]);
  });

  test("show 64-bit integers as strings and long texts cut", () => {
    const big = judgeOutputs([tensor("INT64", [2n ** 60n])], [tensor("INT64", [0n])]);
    expect(big.outputs[0]!.worst[0]).toMatchObject({ primary: "1152921504606846976", candidate: "0" });
    const long = judgeOutputs([tensor("BYTES", ["x".repeat(9999)])], [tensor("BYTES", ["y"])]);
    expect(String(long.outputs[0]!.worst[0]!.primary)).toHaveLength(200);
    expect(long.outputs[0]!.worst[0]!.absError).toBeNull();
  });
});

describe("policies", () => {
  const off = (...values: number[]) => [tensor("FP32", values, { shape: [1, 3] })];
  const rows: [string, OutputPolicy, Tensor[], Tensor[], string, string | null][] = [
    ["exact lets −0 pass", { rule: "exact" }, [tensor("FP32", [0])], [tensor("FP32", [-0])], "match", null],
    ["bytes does not", { rule: "bytes" }, [tensor("FP32", [0])], [tensor("FP32", [-0])], "mismatch", "value"],
    [
      "bytes lets the same NaN pass",
      { rule: "bytes" },
      [tensor("FP32", [NaN])],
      [tensor("FP32", [NaN])],
      "match",
      null,
    ],
    [
      "exact does not",
      { rule: "exact" },
      [tensor("FP32", [NaN])],
      [tensor("FP32", [NaN])],
      "mismatch",
      "non_finite",
    ],
    [
      "equalNan does",
      { rule: "exact", equalNan: true },
      [tensor("FP32", [NaN])],
      [tensor("FP32", [NaN])],
      "match",
      null,
    ],
    [
      "equalNan is for both sides only",
      { rule: "exact", equalNan: true },
      [tensor("FP32", [NaN])],
      [tensor("FP32", [1])],
      "mismatch",
      "non_finite",
    ],
    ["one in three may mismatch", { ...numpy, mismatchFraction: 0.34 }, [y], off(9, 2, 3), "match", null],
    ["two in three may not", { ...numpy, mismatchFraction: 0.34 }, [y], off(9, 9, 3), "mismatch", "value"],
    ["NaN is not excused", { ...numpy, mismatchFraction: 1 }, [y], off(NaN, 2, 3), "mismatch", "non_finite"],
    [
      "JSON in another order",
      { rule: "json" },
      [tensor("BYTES", ['{"a":1,"b":[2]}'])],
      [tensor("BYTES", ['{"b":[2], "a":1.0}'])],
      "match",
      null,
    ],
    [
      "JSON that differs",
      { rule: "json" },
      [tensor("BYTES", ['{"a":1}'])],
      [tensor("BYTES", ['{"a":2}'])],
      "mismatch",
      "value",
    ],
    [
      "text that is no JSON",
      { rule: "json" },
      [tensor("BYTES", ["a"])],
      [tensor("BYTES", ["b"])],
      "mismatch",
      "value",
    ],
    [
      "the same text that is no JSON",
      { rule: "json" },
      [tensor("BYTES", ["a"])],
      [tensor("BYTES", ["a"])],
      "match",
      null,
    ],
    [
      "numbers under json",
      { rule: "json" },
      [tensor("FP32", [1])],
      [tensor("FP32", [1.1])],
      "mismatch",
      "value",
    ],
  ];
  test.each(rows)("%s", (_, output, primary, candidate, result, kind) => {
    expect(judgeOutputs(primary, candidate, policy(output))).toMatchObject({ result, kind });
  });

  test("a fraction is met exactly", () => {
    // 0.29 · 100 is 28.999… in float64.
    const zeros = tensor("UINT8", new Array(100).fill(0));
    const ones = (n: number) =>
      tensor(
        "UINT8",
        Array.from({ length: 100 }, (_, i) => Number(i < n)),
      );
    const by = policy({ rule: "exact", mismatchFraction: 0.29 });
    expect(judgeOutputs([zeros], [ones(29)], by).result).toBe("match");
    expect(judgeOutputs([zeros], [ones(30)], by).result).toBe("mismatch");
  });

  test("tolerances are each output's own", () => {
    const outputs = [y, { ...y, name: "z" }];
    const shifted = outputs.map((output) => ({
      ...tensor("FP32", [1.5, 2, 3], { shape: [1, 3] }),
      name: output.name,
    }));
    const by: Policy = { outputs: { y: { rule: "numpy", atol: 1, rtol: 0 }, "*": numpy } };
    expect(judgeOutputs(outputs, shifted, by).outputs.map(({ result }) => result)).toEqual([
      "match",
      "mismatch",
    ]);
  });

  describe("that ignore", () => {
    const ignore = { reason: "free text", until: "2026-12-01" };
    const by: Policy = { outputs: { z: { ...numpy, ignore }, "*": numpy } };
    const z = (value: number) => tensor("FP32", [value], { name: "z" });

    test("an output that differs still judge the others, and tell what is ignored", () => {
      const comparison = judgeOutputs([y, z(1)], [y, z(9)], by);
      expect(comparison).toMatchObject({ result: "match", kind: null, maxAbs: 0, signature: null });
      expect(comparison.outputs[1]).toMatchObject({
        result: "ignored",
        kind: "value",
        ignored: "free text",
        maxAbs: 8,
      });
    });

    test("all outputs judge nothing", () => {
      expect(judgeOutputs([z(1)], [z(9)], by)).toMatchObject({ result: "ignored", kind: null, maxAbs: null });
      expect(judgeOutputs([z(1)], [z(1)], by)).toMatchObject({ result: "ignored", kind: null });
    });

    test("an output that went missing, do so too", () => {
      expect(judgeOutputs([y, z(1)], [y], by)).toMatchObject({ result: "match" });
    });

    test("hide no other output's mismatch, and no undecodable answer", () => {
      expect(judgeOutputs([y, z(1)], [{ ...y, name: "x" }, z(9)], by).kind).toBe("missing_output");
      expect(judge(answered([z(1)]), garbage, by, nowMs)).toMatchObject({
        result: "mismatch",
        kind: "undecodable",
      });
    });

    test("expire", () => {
      const later = judge(answered([z(1)]), answered([z(9)]), by, Date.parse("2026-12-01T00:00:00Z"));
      expect(later).toMatchObject({ result: "mismatch", kind: "value" });
      expect(later.outputs[0]!.ignored).toBeUndefined();
    });
  });
});

describe("JSON text", () => {
  const texts = (...documents: unknown[]) => [
    tensor(
      "BYTES",
      documents.map((one) => JSON.stringify(one)),
    ),
  ];
  const by = policy({ rule: "json" });

  test("tells where it differs", () => {
    const { outputs } = judgeOutputs(
      texts({ label: "cat", score: 1 }),
      texts({ label: "dog", score: 1 }),
      by,
    );
    expect(outputs[0]!.differences).toEqual([
      { path: "label", change: "changed", primary: "cat", candidate: "dog" },
    ]);
  });

  test("of several elements names the element", () => {
    const { outputs } = judgeOutputs(texts({ a: 1 }, [1], 1), texts({ a: 1 }, [2], 2), by);
    expect(outputs[0]).toMatchObject({ mismatches: 2, worst: [{ index: [1] }, { index: [2] }] });
    expect(outputs[0]!.differences?.map(({ path }) => path)).toEqual(["[1][0]", "[2]"]);
  });

  test("lists at most 20 differences, and counts all mismatches", () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ i }));
    const other = many.map(({ i }) => ({ i: -1 - i }));
    const { outputs } = judgeOutputs(texts(...many), texts(...other), by);
    expect(outputs[0]).toMatchObject({ mismatches: 100 });
    expect(outputs[0]!.differences).toHaveLength(20);
  });
});

describe("parameters", () => {
  const primary = answered([{ ...y, parameters: { scale: 2 } }], { parameters: { seed: 1, gone: true } });
  const candidate = answered([{ ...y, parameters: { scale: 3 } }], {
    parameters: { seed: 2n ** 60n, extra: "x" },
  });

  test("that differ are reported", () => {
    const comparison = judge(primary, candidate, policy(), nowMs);
    expect(comparison).toMatchObject({ result: "match", kind: null, signature: null });
    expect(comparison.parameters).toEqual([
      { path: "parameters.seed", change: "changed", primary: 1, candidate: "1152921504606846976" },
      { path: "parameters.gone", change: "removed", primary: true },
      { path: "parameters.extra", change: "added", candidate: "x" },
      { path: 'outputs["y"].parameters.scale', change: "changed", primary: 2, candidate: 3 },
    ]);
  });

  test("that differ fail if the policy says so", () => {
    const comparison = judge(primary, candidate, policy(numpy, { parameters: "fail" }), nowMs);
    expect(comparison).toMatchObject({ result: "mismatch", kind: "parameters" });
    expect(comparison.signature).toMatch(/^[0-9a-f]{12}$/);
    expect(judge(primary, primary, policy(numpy, { parameters: "fail" }), nowMs).result).toBe("match");
  });

  test("yield to graver kinds", () => {
    const far = answered([tensor("FP32", [9, 2, 3], { shape: [1, 3] })], { parameters: { seed: 2 } });
    expect(judge(primary, far, policy(numpy, { parameters: "fail" }), nowMs).kind).toBe("value");
  });
});

describe("decisions", () => {
  const by = policy({ rule: "numpy", atol: 10, rtol: 0, decision: { type: "argmax" } });

  test("stand beside decimals: a flip within tolerance is a match and a flip", () => {
    const comparison = judgeOutputs([tensor("FP32", [1, 2])], [tensor("FP32", [2.1, 2])], by);
    expect(comparison).toMatchObject({ result: "match", flip: true });
    expect(comparison.outputs[0]!.decision).toMatchObject({ from: "1", to: "0", flip: true });
  });

  test("are unknown where none is declared, or no two can be set side by side", () => {
    expect(judgeOutputs([y], [y]).flip).toBeNull();
    expect(judgeOutputs([y], [], by).flip).toBeNull();
  });
});

describe("signatures", () => {
  const far = (by: number, shape = [1, 3]) => tensor("FP32", [1 + by, 2, 3], { shape });
  const signature = (primary: Tensor[], candidate: Tensor[], rule: Policy = policy()) =>
    judgeOutputs(primary, candidate, rule).signature;
  const base = signature([y], [far(2)]);

  test("are stable", () => {
    expect(base).toBe("aab791a7d72b");
  });

  test.each([
    ["another value of the decade", signature([y], [far(9)]), true],
    ["another decade", signature([y], [far(20)]), false],
    ["another kind", signature([y], [far(NaN)]), false],
    ["another output", signature([{ ...y, name: "z" }], [{ ...far(2), name: "z" }]), false],
    ["another shape", signature([{ ...y, shape: [3] }], [far(2, [3])]), false],
    ["a flip", signature([y], [far(9)], policy({ ...numpy, decision: { type: "argmax" } })), false],
    ["a matching output beside it", signature([y, { ...y, name: "a" }], [far(2), { ...y, name: "a" }]), true],
  ])("%s is alike: %3$s", (_, other, alike) => {
    expect(other === base).toBe(alike);
  });
});
