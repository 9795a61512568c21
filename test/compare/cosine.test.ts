import { describe, expect, test } from "vitest";
import { cosineSimilarity } from "../../src/compare/cosine.js";
import { tensor } from "./tensors.js";

describe("cosineSimilarity", () => {
  test.each<[string, number[], number[], number]>([
    ["the same", [1, 2, 3], [1, 2, 3], 1],
    ["another length", [1, 2, 3], [2, 4, 6], 1],
    ["opposite", [1, 2], [-1, -2], -1],
    ["at right angles", [1, 0], [0, 5], 0],
    ["half a right angle", [1, 0], [1, 1], Math.SQRT1_2],
    ["both zero", [0, -0], [0, 0], 1],
    ["the primary zero", [0, 0], [1, 0], 0],
    ["the candidate zero", [1e-300, 0], [0, 0], 0],
    ["no elements", [], [], 1],
    ["no finite pair", [NaN, 1], [1, Infinity], 1],
    ["finite pairs only", [1, NaN, 0], [1, 1, 1], Math.SQRT1_2],
    ["squares beyond float64", [1e300, 0], [1e300, 1e300], Math.SQRT1_2],
    ["squares below float64", [1e-300, 0], [1e-300, 1e-300], Math.SQRT1_2],
    ["subnormals", [5e-324, 0], [5e-324, 5e-324], Math.SQRT1_2],
    ["one side far larger", [1e308, 1e308], [1e-308, 1e-308], 1],
  ])("%s", (_, primary, candidate, expected) => {
    expect(cosineSimilarity(tensor("FP64", primary), tensor("FP64", candidate))).toBeCloseTo(expected, 15);
  });

  test("of integers", () => {
    expect(cosineSimilarity(tensor("INT64", [3n, 4n]), tensor("INT64", [4n, 3n]))).toBeCloseTo(0.96, 15);
  });
});
