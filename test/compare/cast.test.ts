import { describe, expect, test } from "vitest";
import { type CastPolicy, castPair, coarser } from "../../src/compare/cast.js";
import { type Datatype, datatypes } from "../../src/tensor/tensor.js";
import { elementAt } from "../../src/tensor/view.js";
import { tensor, type Value } from "./tensors.js";

function one(datatype: Datatype) {
  const values: Partial<Record<Datatype, Value>> = { INT64: 1n, UINT64: 1n, BYTES: "1" };
  return tensor(datatype, [values[datatype] ?? 1]);
}

function allowed(primary: Datatype, cast: CastPolicy): Datatype[] {
  return datatypes.filter(
    (candidate) => candidate !== primary && castPair(one(primary), one(candidate), cast) !== null,
  );
}

describe("castPair", () => {
  const floats = ["FP16", "BF16", "FP32", "FP64"] as const;

  test.each<[Datatype, readonly Datatype[]]>([
    ["FP16", ["BF16", "FP32", "FP64"]],
    ["BF16", ["FP16", "FP32", "FP64"]],
    ["FP32", ["FP16", "BF16", "FP64"]],
    ["FP64", ["FP16", "BF16", "FP32"]],
    ["INT8", ["INT16", "INT32", "INT64"]],
    ["INT32", ["INT64"]],
    ["INT64", []],
    ["UINT8", ["UINT16", "UINT32", "UINT64", "INT16", "INT32", "INT64"]],
    ["UINT32", ["UINT64", "INT64"]],
    ["UINT64", []],
    ["BOOL", []],
    ["BYTES", []],
  ])("true lets %s become %j", (primary, candidates) => {
    expect(allowed(primary, true)).toEqual(candidates);
    expect(allowed(primary, undefined)).toEqual([]);
    expect(allowed(primary, false)).toEqual([]);
  });

  test("a list allows what it names, of the same sort", () => {
    expect(allowed("FP32", ["FP16", "INT8", "BYTES", "BOOL"])).toEqual(["FP16"]);
    expect(allowed("INT64", ["INT32"])).toEqual(["INT32"]);
    expect(allowed("INT8", ["UINT8"])).toEqual(["UINT8"]);
    expect(allowed("UINT64", [...datatypes])).toEqual(["UINT8", "UINT16", "UINT32"]);
    expect(allowed("INT64", [...datatypes])).not.toContain("UINT64");
    expect(allowed("BOOL", [...datatypes])).toEqual([]);
    for (const float of floats)
      expect(allowed(float, [...datatypes])).toEqual(floats.filter((other) => other !== float));
  });

  test.each<[Datatype, Value[], Datatype, Value[], Datatype, unknown[], unknown[]]>([
    [
      "FP32",
      [0.1, NaN, -0],
      "FP16",
      [0x2e66, 0x7c00, 0x8000],
      "FP32",
      [Math.fround(0.1), "NaN", "-0"],
      [0.0999755859375, "Infinity", "-0"],
    ],
    ["FP16", [1], "BF16", [0x3f80], "FP32", [2 ** -24], [1]],
    ["FP64", [0.1], "FP32", [0.1], "FP64", [0.1], [Math.fround(0.1)]],
    ["INT32", [-5], "INT64", [2n ** 62n + 1n], "INT64", ["-5"], ["4611686018427387905"]],
    ["UINT8", [255], "INT8", [-1], "INT16", [255], [-1]],
    ["UINT32", [4294967295], "INT32", [-1], "INT64", ["4294967295"], ["-1"]],
    ["UINT16", [65535], "UINT64", [2n ** 64n - 1n], "UINT64", ["65535"], ["18446744073709551615"]],
  ])("%s %s with %s %s: both as %s", (p, primary, c, candidate, common, before, after) => {
    const pair = castPair(tensor(p, primary), tensor(c, candidate), [...datatypes])!;
    expect(pair.map(({ datatype }) => datatype)).toEqual([common, common]);
    expect(pair.map((side) => primary.map((_, i) => elementAt(side, i)))).toEqual([before, after]);
  });

  test("keeps shapes, over many blocks and none", () => {
    const many = Array.from({ length: 9000 }, (_, i) => i % 1000);
    const [p, c] = castPair(
      tensor("FP32", many, { shape: [90, 100] }),
      tensor("FP64", many, { shape: [90, 100] }),
      true,
    )!;
    expect(p.shape).toEqual([90, 100]);
    expect(Buffer.compare(p.data, c.data)).toBe(0);
    const empty = castPair(tensor("FP32", [], { shape: [0] }), tensor("FP16", [], { shape: [0] }), true)!;
    expect(empty.map(({ data }) => data.length)).toEqual([0, 0]);
  });
});

test.each<[Datatype, Datatype, Datatype]>([
  ["FP64", "FP32", "FP32"],
  ["FP16", "FP32", "FP16"],
  ["FP16", "BF16", "BF16"],
  ["FP32", "FP32", "FP32"],
])("the coarser of %s and %s is %s", (a, b, expected) => {
  expect(coarser(a, b)).toBe(expected);
  expect(coarser(b, a)).toBe(expected);
});
