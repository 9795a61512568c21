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

/** Uniform in [0, 1), the same for the same seed. */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function expectWithin(actual: number, expected: number, relative: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * expected);
}

describe.each(kernels)("the %s kernel", (name, kernel) => {
  /** Of a sum of `length` terms, the relative error in units of 2⁻⁵³, as the kernel's documentation states it. */
  const stepsOf = (length: number) => (name === "plain" ? length : 515 + length / 1024);

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

  // Few values, so that errors tie and zeros meet; from block to block their size changes, and what is not finite is
  // rare enough to leave some blocks without any.
  test.each(["FP32", "FP64", "FP16", "BF16"] as const)("measures %s across blocks and chunks", (datatype) => {
    const bits: Record<string, readonly number[]> = {
      FP16: [0, 0x8000, 1, 0x0400, 0x1400, 0x3c00, 0x3c01, 0xbc00, 0x7bff],
      BF16: [0, 0x8000, 1, 0x0080, 0x3a83, 0x3f80, 0x3f81, 0xbf80, 0x7f00],
    };
    const special = datatype === "FP16" ? [0x7c00, 0xfc00, 0x7e01] : [0x7f80, 0xff80, 0x7fc1];
    const ordinaryPool = bits[datatype] ?? [0, -0, 1e-40, 1e-12, 1e-3, 1, 1.001, -1, 3e5];
    const specialPool = datatype in bits ? special : [Infinity, -Infinity, NaN];
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 12_000 }),
        fc.integer({ min: 1, max: 2 ** 31 }),
        rules,
        (length, seed, rule) => {
          const next = numbersFrom(seed);
          const pick = () => {
            const pool = next() < 2e-4 ? specialPool : ordinaryPool;
            return pool[Math.floor(next() * pool.length)]!;
          };
          const primary = Array.from({ length }, pick);
          const candidate = primary.map((p, i) => (next() < (i >> 10) / 20 ? pick() : p));
          expectSame(
            kernel(tensor(datatype, primary), tensor(datatype, candidate), rule),
            measureNaively(numbersIn(datatype, primary), numbersIn(datatype, candidate), rule),
          );
        },
      ),
      { numRuns: 8 },
    );
  });

  test.each(["FP16", "BF16"] as const)("reads every %s that there is", (datatype) => {
    const primary = Array.from({ length: 65_536 }, (_, i) => i);
    const candidate = primary.map((i) => (i * 257) & 0xffff);
    const rule: ElementRule = { rule: "numpy", atol: 1e-3, rtol: 1e-3, equalNan: false };
    const finite = (i: number) =>
      ![i, candidate[i]!].some((x) => !Number.isFinite(numbersIn(datatype, [x])[0]));
    for (const kept of [() => true, finite]) {
      const [p, c] = [primary.filter(kept), candidate.filter((_, i) => kept(i))];
      expectSame(
        kernel(tensor(datatype, p), tensor(datatype, c), rule),
        measureNaively(numbersIn(datatype, p), numbersIn(datatype, c), rule),
      );
    }
  });

  // Multiples of 2⁻²⁴ below 2: their errors, and the squares, are multiples of 2⁻⁴⁸, so that BigInt has the exact sums.
  test("adds up within the bound that is stated", () => {
    const next = numbersFrom(7);
    const length = 200_000;
    const integers = () =>
      Array.from({ length }, (_, i) => Math.floor(next() * (i % 1000 === 0 ? 2 ** 24 : 16)) + 1);
    const [p, c] = [integers(), integers()];
    const scaled = (values: number[]) =>
      tensor(
        "FP64",
        values.map((value) => value / 2 ** 24),
      );
    const measured = kernel(scaled(p), scaled(c), { rule: "numpy", atol: 0, rtol: 0, equalNan: false });
    const exactly = (term: (p: bigint, c: bigint) => bigint) =>
      p.reduce((sum, value, i) => sum + term(BigInt(value), BigInt(c[i]!)), 0n);
    const sumOfErrors = exactly((x, y) => (x > y ? x - y : y - x));
    const sumOfSquares = exactly((x, y) => (x - y) ** 2n);
    const products = exactly((x, y) => x * y);
    const lengths = Math.sqrt(Number(exactly((x) => x * x))) * Math.sqrt(Number(exactly((_, y) => y * y)));
    const unit = 2 ** -53;
    const bound = stepsOf(length) * unit;
    const few = 8 * unit;
    expectWithin(measured.meanAbs!, Number(sumOfErrors) / 2 ** 24 / length, bound + few);
    expectWithin(measured.rmse!, Math.sqrt(Number(sumOfSquares) / 2 ** 48 / length), bound / 2 + few);
    expect(Math.abs(measured.cosine! - Number(products) / lengths)).toBeLessThanOrEqual(34 * bound + few);
  });

  test.each([2 ** 6, 2 ** 12])("knows the direction of a candidate that is %d times as long", (factor) => {
    const p = Array.from({ length: 3000 }, (_, i) => Math.sin(i));
    const c = p.map((value, i) => factor * value + (i % 2));
    const rule: ElementRule = { rule: "numpy", atol: 0, rtol: 0, equalNan: false };
    expectSame(kernel(tensor("FP64", p), tensor("FP64", c), rule), measureNaively(p, c, rule));
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

  test.each([
    ["FP32", 1, [NaN, -Infinity], -3.4e38],
    ["FP64", 1, [NaN, Infinity], -1.7976931348623157e308],
    ["FP16", 0x3c00, [0x7c00, 0xfc00, 0x7c01, 0xfe00], 0xfbff],
    ["BF16", 0x3f80, [0x7f80, 0xff80, 0x7f81], 0xff7f],
  ] as const)("are scanned to the last %s", (datatype, one, specials, largest) => {
    const asked: Kernel = () => {
      throw new Error("the kernel was asked");
    };
    const rule: ElementRule = { rule: "numpy", atol: 0, rtol: 0, equalNan: true };
    for (const length of [1, 2, 3, 4096, 8192, 8193, 20_001]) {
      const finite = new Array(length).fill(one).fill(largest, length >> 1, (length >> 1) + 1);
      expect(measureIdentical(tensor(datatype, finite), rule, asked).maxAbs).toBe(0);
      for (const special of specials) {
        for (const at of [0, 1, 4095, 4096, 8191, 8192, length - 2, length - 1].filter(
          (i) => i >= 0 && i < length,
        )) {
          const values = finite.with(at, special);
          expect(() => measureIdentical(tensor(datatype, values), rule, asked)).toThrow("was asked");
        }
      }
    }
  });
});
