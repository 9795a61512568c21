import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { OutputNoise } from "../../src/compare/noise-summary.js";
import { type OutputPolicy, parsePolicy, policyFor } from "../../src/compare/policy.js";
import { propose } from "../../src/compare/propose.js";
import { bucketOf } from "../../src/stats/sketch.js";

function noise(errors: readonly number[], rest: Partial<OutputNoise> = {}): OutputNoise {
  const abs = new Map<number, number>();
  for (const error of errors) abs.set(bucketOf(error), (abs.get(bucketOf(error)) ?? 0) + 1);
  const maxAbs = errors.length === 0 ? null : Math.max(...errors);
  return { output: "y", datatype: "FP32", shape: [1, 10], abs, maxAbs, maxRel: null, ...rest };
}

const times = (count: number, error: number) => new Array<number>(count).fill(error);

function proposed(shapes: OutputNoise[], current?: OutputPolicy) {
  const { policy, reasons } = propose(shapes, current && { outputs: { "*": current } });
  expect(() => parsePolicy(policy)).not.toThrow();
  expect(reasons).toHaveLength(1);
  return { of: Object.hasOwn(policy.outputs, "y") ? policyFor(policy, "y") : null, reason: reasons[0]! };
}

describe("propose", () => {
  test.each<[string, OutputNoise[], OutputPolicy | null, string]>([
    ["no noise", [noise(times(2000, 0))], { rule: "exact" }, "noise is 0: in 2000 comparisons"],
    [
      "no noise, seldom looked for",
      [noise([0, 0])],
      { rule: "exact" },
      "That is from 2 comparisons: propose again when there are 1000.",
    ],
    [
      "a steady noise",
      [noise(times(2000, 1.2e-6))],
      { rule: "numpy", atol: 3e-6, rtol: 0 },
      "rounded up to one significant digit = 3e-6.",
    ],
    ["a round number", [noise(times(900, 1e-6))], { rule: "numpy", atol: 2e-6, rtol: 0 }, "= 2e-6."],
    [
      "up to the next power of ten",
      [noise(times(2000, 4.6e-6))],
      { rule: "numpy", atol: 1e-5, rtol: 0 },
      "= 1e-5.",
    ],
    [
      "an outlier in a thousand",
      [noise([...times(4999, 9e-7), 1])],
      { rule: "numpy", atol: 2e-6, rtol: 0 },
      "largest of all: 1)",
    ],
    [
      "an outlier in a hundred",
      [noise([...times(990, 1e-6), ...times(10, 0.1)])],
      { rule: "numpy", atol: 0.2, rtol: 0 },
      "of 1000 comparisons",
    ],
    [
      "few comparisons",
      [noise([1e-6, 3e-6])],
      { rule: "numpy", atol: 6e-6, rtol: 0 },
      "from 2 comparisons: propose again",
    ],
    [
      "noise now and then",
      [noise([...times(5000, 0), 1e-3])],
      { rule: "numpy", atol: 2e-3, rtol: 0 },
      "in 5001 comparisons",
    ],
    [
      "two shapes",
      [noise(times(999, 1e-6)), noise([1e-3], { shape: [8, 10] })],
      { rule: "numpy", atol: 2e-3, rtol: 0 },
      "in 1 comparison with the control (the noisiest of 2 shapes, [8,10]) was 0.001",
    ],
    [
      "two shapes, one without noise",
      [noise(times(1000, 0)), noise(times(1000, 1e-3), { shape: [8, 10] })],
      { rule: "numpy", atol: 2e-3, rtol: 0 },
      "",
    ],
    [
      "integers",
      [noise([1], { datatype: "INT64" })],
      { rule: "numpy", atol: 2, rtol: 0 },
      "If these integers are labels",
    ],
    [
      "large integers",
      [noise([1234], { datatype: "UINT8" })],
      { rule: "numpy", atol: 2468, rtol: 0 },
      "= 2468.",
    ],
    ["truth values", [noise([1], { datatype: "BOOL" })], null, "other truth values"],
    ["subnormals", [noise([5e-324])], { rule: "numpy", atol: 1e-323, rtol: 0 }, ""],
    ["infinity", [noise([1, Infinity])], null, "beyond all bounds"],
    ["more than twice fits", [noise([1.7e308])], null, "beyond all bounds"],
    ["nothing measured", [noise([], { datatype: "BYTES" })], null, "no numbers were compared"],
  ])("%s", (_, shapes, policy, reason) => {
    const { of, reason: said } = proposed(shapes);
    expect(of).toEqual(policy);
    expect(said).toContain(reason);
    expect(said.startsWith("y: ")).toBe(true);
  });

  test("says why the relative tolerance is 0, and when that does not fit", () => {
    expect(proposed([noise([1e-6], { maxRel: 0.25 })]).reason).toContain(
      "the largest relative error (largest: 0.25)",
    );
    expect(proposed([noise([...times(1000, 1e-6), ...times(1000, 1e-2)])]).reason).toContain(
      "differs much from request to request",
    );
  });

  test("without a measurement proposes nothing", () => {
    const current = parsePolicy({ outputs: { "*": { rule: "bytes" } } });
    expect(propose([], current)).toEqual({
      policy: current,
      reasons: [expect.stringContaining("not measured")],
    });
  });

  test("keeps what tolerances have nothing to do with", () => {
    const options = { decision: { type: "argmax" as const }, ignore: { reason: "new" }, equalNan: true };
    const current: OutputPolicy = {
      rule: "polygraphy",
      atol: 1,
      rtol: 1,
      statistic: "mean",
      cast: ["FP16"],
      ...options,
    };
    expect(proposed([noise([1e-6])], current).of).toEqual({
      rule: "numpy",
      atol: 2e-6,
      rtol: 0,
      cast: ["FP16"],
      ...options,
    });
    expect(proposed([noise([0])], current).of).toEqual({ rule: "exact", cast: ["FP16"], ...options });
    const { policy } = propose([noise([1])], { outputs: { z: { rule: "bytes" } }, parameters: "fail" });
    expect(policy).toMatchObject({ outputs: { z: { rule: "bytes" } }, parameters: "fail" });
  });

  test("a proposal lets through the noise that it was made from, and has one digit", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (error) => {
        const { of } = proposed([noise([error])]);
        const { atol } = of as OutputPolicy & { rule: "numpy" };
        expect(atol).toBeGreaterThanOrEqual(2 * error);
        expect(atol).toBeLessThanOrEqual(2 * error * 2.0001);
        expect(atol.toExponential()).toMatch(/^\de/);
      }),
    );
  });
});
