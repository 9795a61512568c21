import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bucketOf, quantiles, sketchGamma, sketchRelativeError } from "../../src/stats/sketch.js";

function sketchOf(values: readonly number[]): Map<number, number> {
  const sketch = new Map<number, number>();
  for (const value of values) sketch.set(bucketOf(value), (sketch.get(bucketOf(value)) ?? 0) + 1);
  return sketch;
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
          const found = quantiles(sketchOf(values), maxIsKnown ? Math.max(...values) : null, qs);
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
        const merged = sketchOf(left);
        for (const [bucket, n] of sketchOf(right)) merged.set(bucket, (merged.get(bucket) ?? 0) + n);
        expect(merged).toEqual(sketchOf([...left, ...right]));
      }),
    );
  });

  test("buckets are integers in the order of what they hold, each value of float64 between those of 0 and infinity", () => {
    const ordered = [0, 5e-324, 1e-9, 0.9, 1, 1.03, 250, Number.MAX_VALUE, Infinity].map(bucketOf);
    expect(ordered.every(Number.isSafeInteger)).toBe(true);
    expect(ordered).toEqual([...new Set(ordered)].sort((a, b) => a - b));
    expect(bucketOf(-0)).toBe(bucketOf(0));
    expect(bucketOf(1)).toBe(0);
    expect(bucketOf(0.99)).toBe(0);
  });

  test.each([NaN, -1, -Infinity])("no bucket holds %s", (number) => {
    expect(() => bucketOf(number)).toThrow(RangeError);
  });

  test("nothing has no quantiles", () => {
    expect(quantiles(new Map(), 1, [0.5, 1])).toEqual([null, null]);
    expect(quantiles(new Map([[3, 0]]), null, [0.5])).toEqual([null]);
  });

  test("no quantile lies above the maximum, where it is known", () => {
    const max = 1.0001 * sketchGamma ** 70;
    const sketch = sketchOf([1, max]);
    expect(quantiles(sketch, null, [0, 1])[1]).toBeGreaterThan(max);
    expect(quantiles(sketch, max, [0, 1])).toEqual([expect.closeTo(1, 1), max]);
  });

  test("a bucket is two of those that sketches once had", () => {
    const logGamma = Math.log(1.005 / 0.995);
    fc.assert(
      fc.property(fc.integer({ min: -60_000, max: 60_000 }), (bucket) => {
        const middle = Math.exp((bucket - 0.5) * logGamma);
        expect(bucketOf(middle)).toBe(Math.ceil(bucket / 2) + 0);
      }),
    );
  });
});
