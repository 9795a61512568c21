import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bf16ToFloat, floatToBf16, floatToFp16, fp16ToFloat } from "../../src/tensor/half.js";

const all = Array.from({ length: 65536 }, (_, bits) => bits);

describe.each([
  ["FP16", fp16ToFloat, floatToFp16],
  ["BF16", bf16ToFloat, floatToBf16],
] as const)("%s", (_name, toFloat, toBits) => {
  test("all 65,536 bit patterns but NaN's survive", () => {
    const changed = all.filter((bits) => !Number.isNaN(toFloat(bits)) && toBits(toFloat(bits)) !== bits);
    expect(changed).toEqual([]);
  });

  test("NaN stays NaN", () => expect(toFloat(toBits(NaN))).toBeNaN());

  test("a float becomes its nearest neighbour, and on a tie the even one", () => {
    const largest = [...all].filter((bits) => bits < 0x8000 && Number.isFinite(toFloat(bits))).at(-1)!;
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: largest - 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (lower, share) => {
          const [low, high] = [toFloat(lower), toFloat(lower + 1)];
          const value = low + (high - low) * share;
          const [toLow, toHigh] = [value - low, high - value];
          const nearest = toLow < toHigh ? lower : toHigh < toLow ? lower + 1 : lower + (lower % 2);
          expect(toBits(value)).toBe(nearest);
          expect(toBits(-value)).toBe(nearest | 0x8000);
        },
      ),
    );
  });
});

test("BF16 is the upper half of FP32", () => {
  const wide = new Float32Array(1);
  const bitsOfWide = new Uint32Array(wide.buffer);
  const wrong = all.filter((bits) => {
    bitsOfWide[0] = bits * 65536;
    return !Object.is(wide[0], bf16ToFloat(bits)) && !Number.isNaN(bf16ToFloat(bits));
  });
  expect(wrong).toEqual([]);
});

test.each([
  ["one", 0x3c00, 1],
  ["largest", 0x7bff, 65504],
  ["smallest normal", 0x0400, 2 ** -14],
  ["smallest subnormal", 0x0001, 2 ** -24],
  ["minus zero", 0x8000, -0],
  ["infinity", 0x7c00, Infinity],
  ["a third", 0x3555, 0.333251953125],
])("FP16 %s", (_name, bits, value) => {
  expect(fp16ToFloat(bits)).toBe(value);
  expect(floatToFp16(value)).toBe(bits);
});

test.each([
  [65519.99, 0x7bff],
  [65520, 0x7c00],
  [1e300, 0x7c00],
  [-1e300, 0xfc00],
  [2 ** -25, 0x0000],
  [2 ** -25 * 1.0001, 0x0001],
  [1e-300, 0x0000],
  // By way of float32 this would be a tie, and round down.
  [1 + 2 ** -11 + 2 ** -40, 0x3c01],
])("FP16 of %d", (value, bits) => expect(floatToFp16(value)).toBe(bits));
