import { describe, expect, test } from "vitest";
import { judge } from "../../src/compare/judge.js";
import { type OutputPolicy, parsePolicy } from "../../src/compare/policy.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { answered, tensor } from "./tensors.js";

function judged(policy: OutputPolicy, primary: Tensor, candidate: Tensor) {
  const comparison = judge(
    answered([primary]),
    answered([candidate]),
    parsePolicy({ outputs: { "*": policy } }),
    0,
  );
  return { ...comparison.outputs[0]!, lead: comparison.kind };
}

const f64 = (...values: number[]) => tensor("FP64", values);
const f32 = (...values: number[]) => tensor("FP32", values);
/** Of 1 and 0.1, the second rounded. */
const halves = tensor("FP16", [0x3c00, 0x2e66]);
const ulp = (maxUlps: number, rest: object = {}) => ({ rule: "ulp", maxUlps, ...rest }) as OutputPolicy;
const cosine = (minCosine: number, rest: object = {}) =>
  ({ rule: "cosine", minCosine, ...rest }) as OutputPolicy;
const within = (rule: "numpy" | "polygraphy", atol: number, rtol: number, rest: object = {}) =>
  ({ rule, atol, rtol, ...rest }) as OutputPolicy;

describe("rules", () => {
  test.each<[string, OutputPolicy, Tensor, Tensor, string, string | null]>([
    // The pair that numpy and polygraphy judge differently; see docs/policy.md.
    ["numpy adds its tolerances", within("numpy", 0.1, 0.001), f64(100), f64(100.15), "match", null],
    [
      "polygraphy takes the wider",
      within("polygraphy", 0.1, 0.001),
      f64(100),
      f64(100.15),
      "mismatch",
      "value",
    ],
    ["ulp, at its limit", ulp(2), f32(1), f32(1 + 2 ** -22), "match", null],
    ["ulp, beyond", ulp(1), f32(1), f32(1 + 2 ** -22), "mismatch", "value"],
    ["ulp 0 is exact", ulp(0), f64(0), f64(-0), "match", null],
    ["ulp 0 is exact to the subnormals", ulp(0), f64(0), f64(5e-324), "mismatch", "value"],
    ["ulp and a share of elements", ulp(1, { mismatchFraction: 0.5 }), f32(1, 1), f32(2, 1), "match", null],
    ["ulp and NaN", ulp(1), f32(NaN), f32(NaN), "mismatch", "non_finite"],
    ["ulp and NaN that may be equal", ulp(1, { equalNan: true }), f32(NaN, 1), f32(NaN, 1), "match", null],
    [
      "ulp and an infinity next to the largest",
      ulp(1),
      f32(3.4028234663852886e38),
      f32(Infinity),
      "mismatch",
      "non_finite",
    ],
    ["ulp and text", ulp(9), tensor("BYTES", ["a"]), tensor("BYTES", ["b"]), "mismatch", "value"],
    ["cosine, alike", cosine(0.9), f32(1, 1), f32(5, 5), "match", null],
    ["cosine, at its limit", cosine(0), f32(1, 0), f32(0, 1), "match", null],
    ["cosine, beyond", cosine(0.1), f32(1, 0), f32(0, 1), "mismatch", "value"],
    ["cosine of two zeros", cosine(1), f32(0, 0), f32(-0, 0), "match", null],
    ["cosine of one zero", cosine(0.1), f32(0, 0), f32(1, 0), "mismatch", "value"],
    ["cosine of nothing", cosine(1), f32(), f32(), "match", null],
    ["cosine and NaN", cosine(-1), f32(1, 1), f32(1, NaN), "mismatch", "non_finite"],
    ["cosine and text", cosine(-1), tensor("BYTES", ["a"]), tensor("BYTES", ["b"]), "mismatch", "value"],
    [
      "a mean within",
      within("numpy", 1, 0, { statistic: "mean" }),
      f64(0, 0, 0),
      f64(3, 0, 0),
      "match",
      null,
    ],
    [
      "a mean beyond",
      within("numpy", 0.9, 0, { statistic: "mean" }),
      f64(0, 0, 0),
      f64(3, 0, 0),
      "mismatch",
      "value",
    ],
    [
      "a median within",
      within("polygraphy", 0, 0, { statistic: "median" }),
      f64(1, 1, 1),
      f64(9, 1, 1),
      "match",
      null,
    ],
    [
      "a quantile beyond",
      within("polygraphy", 0, 0, { statistic: "quantile", quantile: 0.9 }),
      f64(1, 1, 1),
      f64(9, 1, 1),
      "mismatch",
      "value",
    ],
    [
      "a statistic excuses no NaN",
      within("numpy", 9, 9, { statistic: "median" }),
      f64(1, 1, 1),
      f64(NaN, 1, 1),
      "mismatch",
      "non_finite",
    ],
    ["a statistic of nothing", within("numpy", 0, 0, { statistic: "mean" }), f64(), f64(), "match", null],
    [
      "elementwise, said so",
      within("numpy", 1, 0, { statistic: "elementwise" }),
      f64(0, 0),
      f64(2, 0),
      "mismatch",
      "value",
    ],
    [
      "a statistic and text",
      within("numpy", 9, 0, { statistic: "mean" }),
      tensor("BYTES", ["a"]),
      tensor("BYTES", ["b"]),
      "mismatch",
      "value",
    ],
    ["a cast that nobody allowed", within("numpy", 1, 0), f32(1, 0.1), halves, "mismatch", "dtype"],
    [
      "a cast that is forbidden",
      within("numpy", 1, 0, { cast: false }),
      f32(1, 0.1),
      halves,
      "mismatch",
      "dtype",
    ],
    ["a cast within tolerance", within("numpy", 1e-4, 0, { cast: true }), f32(1, 0.1), halves, "match", null],
    [
      "a cast beyond tolerance",
      within("numpy", 1e-6, 0, { cast: true }),
      f32(1, 0.1),
      halves,
      "mismatch",
      "value",
    ],
    ["a cast judged in its own units", ulp(0, { cast: ["FP16"] }), f32(1, 0.1), halves, "match", null],
    [
      "a cast that is not the one allowed",
      ulp(0, { cast: ["BF16"] }),
      f32(1, 0.1),
      halves,
      "mismatch",
      "dtype",
    ],
    [
      "a cast that overflows",
      within("numpy", 1e9, 9, { cast: true }),
      f32(70000),
      tensor("FP16", [0x7c00]),
      "mismatch",
      "non_finite",
    ],
    ["a cast of cosine", cosine(0.999, { cast: true }), f32(1, 0.1), halves, "match", null],
    [
      "a statistic of a cast",
      within("polygraphy", 1e-4, 0, { cast: true, statistic: "max" }),
      f32(1, 0.1),
      halves,
      "match",
      null,
    ],
    ["a cast to another shape", within("numpy", 1, 0, { cast: true }), f32(1), halves, "mismatch", "shape"],
    [
      "an integer made wider",
      { rule: "exact", cast: true },
      tensor("INT32", [-7]),
      tensor("INT64", [-7n]),
      "match",
      null,
    ],
    [
      "an integer made wider, and another",
      { rule: "exact", cast: true },
      tensor("INT32", [-7]),
      tensor("INT64", [2n ** 32n - 7n]),
      "mismatch",
      "value",
    ],
    [
      "an integer made narrower",
      { rule: "exact", cast: true },
      tensor("INT64", [7n]),
      tensor("INT32", [7]),
      "mismatch",
      "dtype",
    ],
    [
      "an integer made narrower by name",
      { rule: "exact", cast: ["INT32"] },
      tensor("INT64", [7n]),
      tensor("INT32", [7]),
      "match",
      null,
    ],
    [
      "a statistic of integers that were cast, exactly",
      within("polygraphy", 0, 0, { cast: ["INT32"], statistic: "max" }),
      tensor("INT64", [2n ** 60n + 1n, 7n]),
      tensor("INT32", [7, 7]),
      "mismatch",
      "value",
    ],
    [
      "units of integers that were cast",
      ulp(1, { cast: true }),
      tensor("INT32", [7]),
      tensor("INT64", [8n]),
      "match",
      null,
    ],
    [
      "a float for an integer",
      within("numpy", 9, 9, { cast: true }),
      tensor("INT32", [7]),
      f32(7),
      "mismatch",
      "dtype",
    ],
  ])("%s", (_, policy, primary, candidate, result, kind) => {
    expect(judged(policy, primary, candidate)).toMatchObject({ result, kind, lead: kind });
  });

  test("tell what they found", () => {
    expect(judged(ulp(1), f32(1, 1, 1), f32(1, 1 + 2 ** -23, 1 + 2 ** -20))).toMatchObject({
      maxUlps: 8,
      mismatches: 1,
    });
    expect(judged(ulp(1), f32(1), f32(1))).toMatchObject({ maxUlps: 0, mismatches: 0 });
    expect(judged(cosine(0.5), f32(1, 0), f32(0, 1))).toMatchObject({ cosine: 0, mismatches: 2 });
    expect(judged(cosine(0.5), f64(0, 0), f64(0, 0))).toMatchObject({ cosine: 1, mismatches: 0 });
    const mean = judged(within("numpy", 1, 0, { statistic: "mean" }), f64(1, 2), f64(1, 4));
    // Single elements are still counted; the statistic alone decides.
    expect(mean).toMatchObject({
      result: "match",
      mismatches: 1,
      statistic: { name: "mean", abs: 1, rel: 0.5 },
      atolToPass: 1,
    });
    expect(judged(within("numpy", 1, 0), f64(1), f64(1)).statistic).toBeUndefined();
  });

  test("of a cast name both datatypes, and show both values", () => {
    const output = judged(within("numpy", 0, 0, { cast: true }), f32(1, 0.1), halves);
    expect(output).toMatchObject({ datatype: "FP32", candidateDatatype: "FP16", mismatches: 1 });
    expect(output.worst).toMatchObject([
      { index: [1], primary: Math.fround(0.1), candidate: 0.0999755859375 },
    ]);
  });

  test("of a cast leave decisions as they are", () => {
    const policy = within("numpy", 1, 0, { cast: true, decision: { type: "argmax" } });
    expect(judged(policy, f32(1, 0.1), halves).decision).toEqual({ from: "0", to: "0", flip: false });
  });

  test("another number of boxes is another shape, and still decided", () => {
    const policy: OutputPolicy = { rule: "exact", decision: { type: "boxes", iou: 0.5, format: "xyxy" } };
    const one = tensor("FP32", [0, 0, 1, 1], { shape: [1, 4] });
    const two = tensor("FP32", [0, 0, 1, 1, 5, 5, 9, 9], { shape: [2, 4] });
    expect(judged(policy, one, two)).toMatchObject({
      kind: "shape",
      decision: { from: "1 box", to: "2 boxes: 1 matched, 0 missing, 1 extra", flip: true },
    });
    expect(judged({ ...policy, decision: { type: "argmax" } }, one, two).decision).toBeNull();
  });
});
