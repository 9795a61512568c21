import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { measureUlps } from "../../src/compare/ulp.js";
import { fp16ToFloat } from "../../src/tensor/half.js";
import type { Datatype } from "../../src/tensor/tensor.js";
import { tensor, type Value } from "./tensors.js";

const ulps = (datatype: Datatype, p: Value, c: Value) =>
  measureUlps(tensor(datatype, [p]), tensor(datatype, [c]), 1);

describe("measureUlps", () => {
  test.each<[Datatype, Value, Value, number | null]>([
    ["FP64", 1, 1 + 2 ** -52, 1],
    ["FP64", 1, 1 - 2 ** -53, 1],
    ["FP64", 1, 2, 2 ** 52],
    ["FP64", 0, -0, 0],
    ["FP64", -0, 5e-324, 1],
    ["FP64", -5e-324, 5e-324, 2],
    ["FP64", -(2 ** -1022), 2 ** -1022, 2 ** 53],
    ["FP64", Number.MAX_VALUE, -Number.MAX_VALUE, 2 * Number(0x7fefffffffffffffn)],
    ["FP64", 2 ** 32, 2 ** 32 + 2 ** -20, 1],
    ["FP32", 1, 1 + 2 ** -23, 1],
    ["FP32", -1, -1 - 2 ** -22, 2],
    ["FP32", 2 ** -149, -(2 ** -149), 2],
    ["FP32", 16777216, 16777218, 1],
    ["FP16", 0x3c00, 0x3c01, 1],
    ["FP16", 0x8000, 0, 0],
    ["FP16", 0x8001, 0x0001, 2],
    ["FP16", 0x7bff, 0xfbff, 2 * 0x7bff],
    ["BF16", 0x3f80, 0x3f83, 3],
    ["BF16", 0xbf80, 0xbf7f, 1],
    ["INT8", -128, 127, 255],
    ["UINT64", 2n ** 64n - 1n, 2n ** 64n - 3n, 2],
    ["INT64", -(2n ** 63n), 2n ** 63n - 1n, 2 ** 64],
    ["BOOL", 1, 255, 0],
    ["BOOL", 1, 0, 1],
    ["FP16", 0x7c00, 0x7bff, null],
    ["BF16", 0x7f80, 0x7fc0, null],
    ["FP32", NaN, 1, null],
    ["FP32", 3.4028234663852886e38, Infinity, null],
  ])("%s: from %s to %s are %s", (datatype, p, c, expected) => {
    expect(ulps(datatype, p, c)).toEqual({
      maxUlps: expected,
      mismatches: expected !== null && expected > 1 ? 1 : 0,
    });
    expect(ulps(datatype, c, p).maxUlps).toBe(expected);
  });

  test("of no elements, and of scalars", () => {
    expect(
      measureUlps(tensor("FP32", [], { shape: [0, 3] }), tensor("FP32", [], { shape: [0, 3] }), 0),
    ).toEqual({ maxUlps: null, mismatches: 0 });
    const scalar = (value: number) => tensor("FP32", [value], { shape: [] });
    expect(measureUlps(scalar(1), scalar(1 + 2 ** -22), 1)).toEqual({ maxUlps: 2, mismatches: 1 });
  });

  test("can be counted in a coarser datatype", () => {
    const counted = (p: number, c: number, datatype: Datatype) =>
      measureUlps(tensor("FP32", [p]), tensor("FP32", [c]), 0, datatype).maxUlps;
    expect(counted(0.1, fp16ToFloat(0x2e66), "FP16")).toBe(0);
    expect(counted(fp16ToFloat(0x3c01), 1, "BF16")).toBe(0);
    expect(counted(1, fp16ToFloat(0x3c02), "FP16")).toBe(2);
    // Beyond the range of FP16, and so rounded to infinity, the number after its largest.
    expect(counted(70000, fp16ToFloat(0x7bff), "FP16")).toBe(1);
  });

  test("are the steps between two half floats", () => {
    const finite = Array.from({ length: 0x10000 }, (_, bits) => bits).filter(
      (bits) => (bits & 0x7c00) !== 0x7c00,
    );
    const inOrder = [...new Set(finite.map((bits) => fp16ToFloat(bits) + 0))].sort((a, b) => a - b);
    fc.assert(
      fc.property(fc.constantFrom(...finite), fc.constantFrom(...finite), (p, c) => {
        const place = (bits: number) => inOrder.indexOf(fp16ToFloat(bits) + 0);
        expect(ulps("FP16", p, c).maxUlps).toBe(Math.abs(place(c) - place(p)));
      }),
    );
  });

  test("of doubles are the difference of their places in order", () => {
    const placeOf = (value: number) => {
      const bits = new BigUint64Array(Float64Array.of(value).buffer)[0]!;
      return bits >> 63n === 1n ? -(bits & (2n ** 63n - 1n)) : bits;
    };
    const double = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(double, double, fc.nat(9), (p, other, steps) => {
        const [from, to] = [placeOf(p), placeOf(other)];
        expect(ulps("FP64", p, other).maxUlps).toBe(Number(to > from ? to - from : from - to));
        const near = new Float64Array(
          BigUint64Array.of(new BigUint64Array(Float64Array.of(p).buffer)[0]! + BigInt(steps)).buffer,
        )[0]!;
        if (Number.isFinite(near)) expect(ulps("FP64", p, near).maxUlps).toBe(steps);
      }),
    );
  });
});
