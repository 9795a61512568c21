import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { measureIdentical } from "../../src/compare/identical.js";
import type { ElementRule, Kernel, Measurement } from "../../src/compare/kernel.js";
import { plainKernel } from "../../src/compare/plain-kernel.js";
import { createWasmKernel } from "../../src/compare/wasm-kernel.js";
import { packageRoot } from "../../src/paths.js";
import type { Datatype } from "../../src/tensor/tensor.js";
import { measureNaively, numbersIn } from "./oracle.js";
import { tensor } from "./tensors.js";

type NumericDatatype = Exclude<Datatype, "BYTES">;

/** Every kernel answers to this suite; the next ones are added here. */
const kernels: [string, Kernel][] = [
  ["plain", plainKernel],
  ["WebAssembly", createWasmKernel()!],
];

const floats = [
  0,
  -0,
  1,
  -1,
  NaN,
  Infinity,
  -Infinity,
  1e-3,
  1.001,
  5e-324,
  -5e-324,
  1e-45,
  3.4e38,
  100,
  100.15,
];
const halfBits = [
  0, 0x8000, 0x3c00, 0xbc00, 0x7e00, 0xfe01, 0x7c00, 0xfc00, 1, 0x8001, 0x3ff, 0x7bff, 0x7f80, 0xff80, 0x7fc0,
];
const pools: Record<NumericDatatype, readonly (number | bigint)[]> = {
  BOOL: [0, 1, 2, 255],
  UINT8: [0, 1, 2, 100, 255],
  UINT16: [0, 1, 300, 65535],
  UINT32: [0, 1, 300, 2 ** 31, 2 ** 32 - 1],
  UINT64: [0n, 1n, 2n ** 32n, 2n ** 52n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n],
  INT8: [0, 1, -1, -128, 127],
  INT16: [0, 1, -1, -32768, 32767],
  INT32: [0, 1, -1, -(2 ** 31), 2 ** 31 - 1],
  INT64: [0n, 1n, -1n, 2n ** 32n, -(2n ** 52n), 2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n],
  FP16: halfBits,
  BF16: halfBits,
  FP32: floats,
  FP64: [...floats, 1.7976931348623157e308, -1.7976931348623157e308],
};

const ordinary: Record<NumericDatatype, fc.Arbitrary<number | bigint>> = {
  BOOL: fc.integer({ min: 0, max: 1 }),
  UINT8: fc.integer({ min: 0, max: 255 }),
  UINT16: fc.integer({ min: 0, max: 65535 }),
  UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  INT8: fc.integer({ min: -128, max: 127 }),
  INT16: fc.integer({ min: -32768, max: 32767 }),
  INT32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  FP16: fc.integer({ min: 0, max: 65535 }),
  BF16: fc.integer({ min: 0, max: 65535 }),
  FP32: fc.float(),
  FP64: fc.double({ min: -1e150, max: 1e150 }),
};

const tolerance = fc.constantFrom(0, 1e-8, 1e-3, 0.1, 1, 3, 1e6);
const rules: fc.Arbitrary<ElementRule> = fc.record({
  rule: fc.constantFrom("numpy", "polygraphy"),
  atol: tolerance,
  rtol: tolerance,
  equalNan: fc.boolean(),
});

/** Mostly equal pairs, as answers are; special values often enough to meet each other. */
function pairsOf(datatype: NumericDatatype): fc.Arbitrary<(readonly [number | bigint, number | bigint])[]> {
  const element = fc.oneof(fc.constantFrom(...pools[datatype]), ordinary[datatype]);
  const pair = fc.oneof(
    element.map((value) => [value, value] as const),
    fc.tuple(element, element),
  );
  return fc.array(pair, { maxLength: 40 });
}

/** Sums may differ by rounding, since the order of adding is not part of the definition. */
function expectSame(actual: Measurement, expected: Measurement): void {
  const { meanAbs, rmse, cosine, atolToPass, ...exact } = actual;
  const {
    meanAbs: meanExpected,
    rmse: rmseExpected,
    cosine: cosineExpected,
    atolToPass: atolExpected,
    ...exactExpected
  } = expected;
  expect(exact).toEqual(exactExpected);
  // As near as a tolerance can come to an error beside which it is small.
  expectNear(atolToPass, atolExpected, 2 ** -51 * (actual.maxAbs ?? 0) + Number.MIN_VALUE);
  expectNear(meanAbs, meanExpected);
  expectNear(rmse, rmseExpected);
  if (cosineExpected === null || cosine === null) expect(cosine).toBe(cosineExpected);
  else expect(Math.abs(cosine - cosineExpected)).toBeLessThanOrEqual(1e-9);
}

function expectNear(actual: number | null, expected: number | null, slack = 0): void {
  if (expected === null || actual === null || expected === Infinity) expect(actual).toBe(expected);
  else expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-12 * expected + slack);
}

const numericDatatypes = Object.keys(pools) as NumericDatatype[];

describe.each(kernels)("the %s kernel", (_, kernel) => {
  test.each(numericDatatypes)("measures %s as the definitions say", (datatype) => {
    fc.assert(
      fc.property(pairsOf(datatype), rules, fc.integer({ min: 0, max: 7 }), (pairs, rule, offset) => {
        const primary = pairs.map(([p]) => p);
        const candidate = pairs.map(([, c]) => c);
        expectSame(
          kernel(
            tensor(datatype, primary, { offset }),
            tensor(datatype, candidate, { offset: 8 - offset }),
            rule,
          ),
          measureNaively(numbersIn(datatype, primary), numbersIn(datatype, candidate), rule),
        );
      }),
      { numRuns: 300 },
    );
  });

  test.each(numericDatatypes)("measures %s tensors of every length, and around blocks", (datatype) => {
    const rule: ElementRule = { rule: "numpy", atol: 0.5, rtol: 0.01, equalNan: false };
    const pool = pools[datatype];
    for (const length of [...Array(71).keys(), 1023, 1024, 1025, 2048, 2051, 8191, 8192, 8193, 16_387]) {
      const primary = Array.from({ length }, (_, i) => pool[(i * 7) % pool.length]!);
      const candidate = Array.from({ length }, (_, i) => pool[(i * i + (i % 3)) % pool.length]!);
      expectSame(
        kernel(tensor(datatype, primary), tensor(datatype, candidate), rule),
        measureNaively(numbersIn(datatype, primary), numbersIn(datatype, candidate), rule),
      );
    }
  });

  test.each(["FP32", "FP64", "UINT16", "INT64"] as const)(
    "finds the worst of %s in any block",
    (datatype) => {
      const zeros = new Array(5000).fill(0);
      const rising = zeros.map((_, i) => i);
      const { worst } = kernel(tensor(datatype, zeros), tensor(datatype, rising), {
        rule: "numpy",
        atol: 0,
        rtol: 0,
        equalNan: false,
      });
      expect(worst).toEqual(Array.from({ length: 10 }, (_, i) => ({ index: 4999 - i, absError: 4999 - i })));
    },
  );

  // NumPy: np.isclose(c, p, rtol, atol); Polygraphy: (|c − p| > atol) & (|c − p| / |p| > rtol).
  test.each([
    { p: 100, c: 100.15, atol: 0.1, rtol: 0.001, numpy: false, polygraphy: true },
    { p: 100, c: 100.05, atol: 0.1, rtol: 0, numpy: false, polygraphy: false },
    { p: 100, c: 100.05, atol: 0, rtol: 0.001, numpy: false, polygraphy: false },
    { p: 100, c: 101, atol: 0.1, rtol: 0.001, numpy: true, polygraphy: true },
    { p: 0, c: 1e-9, atol: 1e-8, rtol: 1, numpy: false, polygraphy: false },
    { p: 0, c: 1e-7, atol: 1e-8, rtol: 1, numpy: true, polygraphy: true },
    { p: 1, c: 1, atol: 0, rtol: 0, numpy: false, polygraphy: false },
    { p: 0, c: -0, atol: 0, rtol: 0, numpy: false, polygraphy: false },
    { p: 0, c: 5e-324, atol: 0, rtol: 0, numpy: true, polygraphy: true },
    { p: NaN, c: NaN, atol: 1, rtol: 1, numpy: true, polygraphy: true },
    { p: NaN, c: 1, atol: 1e9, rtol: 1e9, numpy: true, polygraphy: true },
    { p: Infinity, c: Infinity, atol: 0, rtol: 0, numpy: false, polygraphy: false },
    { p: Infinity, c: -Infinity, atol: 1, rtol: 1, numpy: true, polygraphy: true },
    { p: Infinity, c: 1, atol: 1, rtol: 1, numpy: true, polygraphy: true },
    { p: 1, c: -Infinity, atol: 1, rtol: 1, numpy: true, polygraphy: true },
    { p: 1.7e308, c: -1.7e308, atol: 1, rtol: 1, numpy: true, polygraphy: true },
  ])("p = $p, c = $c, atol $atol, rtol $rtol mismatches: numpy $numpy, polygraphy $polygraphy", (row) => {
    for (const rule of ["numpy", "polygraphy"] as const) {
      const { atol, rtol } = row;
      const measured = kernel(tensor("FP64", [row.p]), tensor("FP64", [row.c]), {
        rule,
        atol,
        rtol,
        equalNan: false,
      });
      expect(measured.mismatches).toBe(row[rule] ? 1 : 0);
    }
  });

  test("gives the numbers that NumPy gives", () => {
    // p = np.float32([1, 2, 4, 0]); c = np.float32([1.5, 2, 3, 0.25]); d = np.abs(c - p)
    const measured = kernel(tensor("FP32", [1, 2, 4, 0]), tensor("FP32", [1.5, 2, 3, 0.25]), {
      rule: "numpy",
      atol: 0.1,
      rtol: 0.25,
      equalNan: false,
    });
    expect(measured).toEqual({
      mismatches: 2,
      nonFiniteMismatches: 0,
      nonFinitePrimary: 0,
      nonFiniteCandidate: 0,
      maxAbs: 1,
      maxRel: 0.5,
      meanAbs: 0.4375,
      rmse: Math.sqrt((0.25 + 1 + 0.0625) / 4),
      cosine: 17.5 / Math.sqrt(21 * 15.3125),
      histogram: {
        equal: 1,
        decades: [
          { decade: -1, pairs: 2 },
          { decade: 0, pairs: 1 },
        ],
      },
      // np.max(d - 0.25 * np.abs(p)), rounded up
      atolToPass: 0.25000000000000006,
      worst: [
        { index: 2, absError: 1 },
        { index: 0, absError: 0.5 },
        { index: 3, absError: 0.25 },
      ],
    });
  });

  test.each(numericDatatypes)("names the least atol with which %s pass", (datatype) => {
    fc.assert(
      fc.property(pairsOf(datatype), rules, (pairs, rule) => {
        const primary = tensor(
          datatype,
          pairs.map(([p]) => p),
        );
        const candidate = tensor(
          datatype,
          pairs.map(([, c]) => c),
        );
        const { atolToPass, maxAbs } = kernel(primary, candidate, rule);
        fc.pre(atolToPass !== null && atolToPass < Infinity);
        const finiteMismatchesAt = (atol: number) => {
          const { mismatches, nonFiniteMismatches } = kernel(primary, candidate, { ...rule, atol });
          return mismatches - nonFiniteMismatches;
        };
        expect(finiteMismatchesAt(atolToPass!)).toBe(0);
        // Where it is a small part of what is allowed, or subnormal, a little less may be the same after rounding.
        if (atolToPass! > Math.max(1e-3 * maxAbs!, 1e-300)) {
          expect(finiteMismatchesAt(atolToPass! * (1 - 1e-12))).toBeGreaterThan(0);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("tells 64-bit integers apart that are the same in float64", () => {
    const rule: ElementRule = { rule: "numpy", atol: 0, rtol: 0, equalNan: false };
    const big = 2n ** 62n;
    const measured = kernel(tensor("INT64", [big, -big]), tensor("INT64", [big + 1n, -big]), rule);
    expect(measured.mismatches).toBe(1);
    expect(measured.maxAbs).toBe(1);
    expect(measured.worst).toEqual([{ index: 0, absError: 1 }]);
  });
});

test("the binary in use is what assembly/ compiles to", async () => {
  const script = join(packageRoot, "scripts/build-kernel.mjs");
  await promisify(execFile)(process.execPath, [script, "--check"], { cwd: packageRoot });
});

describe("tensors with the same bytes", () => {
  test.each(numericDatatypes)("%s are measured as the kernel measures them", (datatype) => {
    fc.assert(
      fc.property(pairsOf(datatype), rules, (pairs, rule) => {
        const same = tensor(
          datatype,
          pairs.map(([p]) => p),
        );
        const measured = measureIdentical(same, rule, plainKernel);
        const expected = plainKernel(same, same, rule);
        // Squares of tiny doubles vanish in the kernel's sums, and then it knows no direction.
        expectSame(measured, expected.cosine === null ? { ...expected, cosine: measured.cosine } : expected);
      }),
      { numRuns: 200 },
    );
  });

  test("are not arithmetic's business unless something is not finite", () => {
    const never: Kernel = () => {
      throw new Error("the kernel was asked");
    };
    const rule: ElementRule = { rule: "numpy", atol: 0, rtol: 0, equalNan: false };
    expect(measureIdentical(tensor("FP32", [1, 2]), rule, never).cosine).toBe(1);
    expect(measureIdentical(tensor("FP32", [0, -0]), rule, never).cosine).toBeNull();
    expect(() => measureIdentical(tensor("FP32", [1, NaN]), rule, never)).toThrow("was asked");
  });
});
