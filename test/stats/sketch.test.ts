import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bucketOf, quantiles, sketchGamma, sketchRelativeError } from "../../src/stats/sketch.js";

function count(values: readonly number[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(bucketOf(value), (counts.get(bucketOf(value)) ?? 0) + 1);
  return counts;
}

function exactQuantile(values: readonly number[], q: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
}

const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const value = fc.oneof(fc.double({ min: 0, noNaN: true }), fc.constantFrom(0, 1, 5e-324, 1.7e308, Infinity));

describe("sketch", () => {
  test("any quantile is within its relative error", () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 60 }),
        fc.array(fraction, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (values, qs, maxIsKnown) => {
          const found = quantiles(count(values), maxIsKnown ? Math.max(...values) : null, qs);
          return qs.every((q, at) => {
            const exact = exactQuantile(values, q);
            if (exact === 0 || exact === Infinity) return found[at] === exact;
            // Below 1e-300 float64 itself is coarser than the sketch.
            return Math.abs(found[at]! - exact) <= (sketchRelativeError + 1e-9) * exact + 1e-322;
          });
        },
      ),
    );
  });

  test("merging by adding counts is the same as counting together", () => {
    fc.assert(
      fc.property(fc.array(value), fc.array(value), (left, right) => {
        const merged = count(left);
        for (const [label, n] of count(right)) merged.set(label, (merged.get(label) ?? 0) + n);
        expect(merged).toEqual(count([...left, ...right]));
      }),
    );
  });

  test.each([
    [0, "zero"],
    [-0, "zero"],
    [Infinity, "inf"],
    [1, "0"],
  ])("%s is counted under %s", (number, label) => {
    expect(bucketOf(number)).toBe(label);
  });

  test.each([NaN, -1, -Infinity])("no bucket holds %s", (number) => {
    expect(() => bucketOf(number)).toThrow(RangeError);
  });

  test("nothing has no quantiles", () => {
    expect(quantiles(new Map(), 1, [0.5, 1])).toEqual([null, null]);
    expect(quantiles(new Map([["3", 0]]), null, [0.5])).toEqual([null]);
  });

  test("no quantile lies above the maximum, where it is known", () => {
    const max = 1.0001 * sketchGamma ** 70;
    const counts = count([1, max]);
    expect(quantiles(counts, null, [0, 1])[1]).toBeGreaterThan(max);
    expect(quantiles(counts, max, [0, 1])).toEqual([expect.closeTo(1, 1), max]);
  });

  test("a bucket is two of those that sketches once had", () => {
    const logGamma = Math.log(1.005 / 0.995);
    fc.assert(
      fc.property(fc.integer({ min: -60_000, max: 60_000 }), (bucket) => {
        const middle = Math.exp((bucket - 0.5) * logGamma);
        expect(bucketOf(middle)).toBe(String(Math.ceil(bucket / 2) + 0));
      }),
    );
  });
});
