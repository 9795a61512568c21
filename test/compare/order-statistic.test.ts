import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quantileOf, type Series } from "../../src/compare/order-statistic.js";

/** In blocks of three, to cross their borders. */
function seriesOf(values: readonly number[]): Series {
  return (visit) => {
    for (let from = 0; from < values.length; from += 3) {
      const block = values.slice(from, from + 3);
      visit(Float64Array.from([...block, NaN]), block.length);
    }
  };
}

function naively(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = q * (values.length - 1);
  const [lower, upper] = [sorted[Math.floor(position)]!, sorted[Math.ceil(position)]!];
  const share = position - Math.floor(position);
  if (lower === upper) return lower;
  return share < 0.5 ? lower + (upper - lower) * share : upper - (upper - lower) * (1 - share);
}

describe("quantileOf", () => {
  test.each<[number[], number, number | null]>([
    [[], 0.5, null],
    [[7], 0.3, 7],
    [[1, 2], 0.5, 1.5],
    [[3, 1, 2], 0, 1],
    [[3, 1, 2], 1, 3],
    [[5, 5, 5, 5], 0.37, 5],
    // np.quantile([0.1, 0.2, 0.7, 1e-9, 4.0], 0.99)
    [[0.1, 0.2, 0.7, 1e-9, 4], 0.99, 3.868],
    [[-1, -2, -3], 0.5, -2],
    [[5e-324, 0, 1e-323], 0.5, 5e-324],
    [[0, Infinity], 0.5, Infinity],
    [[Infinity, Infinity], 0.5, Infinity],
    [[-Infinity, 0], 0.5, -Infinity],
    [[-1e308, 1e308], 0.25, 1e308],
    [[-0, 0, -0, 0], 0.5, 0],
  ])("%j at %f is %f", (values, q, expected) => {
    const found = quantileOf(seriesOf(values), q);
    expect(found === null ? null : found + 0).toBe(expected);
  });

  test("is what sorting finds", () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }),
      fc.integer({ min: -3, max: 3 }),
      fc.constantFrom(-0, 5e-324, 1.5, 1.5000000000000002),
    );
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 1, maxLength: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          expect(quantileOf(seriesOf(values), q)! + 0).toBe(naively(values, q) + 0);
        },
      ),
    );
  });
});
