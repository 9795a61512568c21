import { describe, expect, test } from "vitest";
import { decide } from "../../src/compare/decision.js";
import type { DecisionPolicy } from "../../src/compare/decision-policy.js";
import { tensor } from "./tensors.js";

const argmax: DecisionPolicy = { type: "argmax" };
const top2: DecisionPolicy = { type: "topk", k: 2 };
const top2Ordered: DecisionPolicy = { type: "topk", k: 2, ordered: true };
const half: DecisionPolicy = { type: "threshold", value: 0.5 };

describe("decide", () => {
  test.each<[string, DecisionPolicy, number[], number[], string, string]>([
    ["the largest", argmax, [1, 3, 2], [1, 2, 3], "1", "2"],
    ["the first of equals", argmax, [3, 3, 2], [2, 3, 3], "0", "1"],
    ["negative numbers", argmax, [-3, -1], [-1, -3], "1", "0"],
    ["infinities", argmax, [Infinity, 1], [-Infinity, 1], "0", "1"],
    ["NaN decides nothing", argmax, [1, 2], [1, NaN], "1", "none"],
    ["NaN on both sides decides the same nothing", argmax, [NaN, 2], [1, NaN], "none", "none"],
    ["a single class", argmax, [1], [9], "0", "0"],
    ["the set of two", top2, [1, 2, 3], [1, 3, 2], "1,2", "1,2"],
    ["another set of two", top2, [1, 2, 3], [2, 1, 3], "1,2", "0,2"],
    ["two in order", top2Ordered, [1, 2, 3], [1, 3, 2], "2>1", "1>2"],
    ["two of equals", top2Ordered, [5, 5, 5], [5, 5, 6], "0>1", "2>0"],
    ["more than there are", { type: "topk", k: 9 }, [1, 2], [2, 1], "0,1", "0,1"],
    ["a threshold, met at its value", half, [0.5], [0.49], "above", "below"],
  ])("%s", (_, policy, primary, candidate, from, to) => {
    const shape = policy.type === "threshold" ? [1] : [1, primary.length];
    const decided = decide(tensor("FP32", primary, { shape }), tensor("FP32", candidate, { shape }), policy);
    expect(decided).toMatchObject({ from, to, flip: from !== to });
  });

  test("names the rows that changed, or the first", () => {
    const primary = tensor("FP64", [1, 0, 1, 0, 1, 0], { shape: [3, 2] });
    const candidate = tensor("FP64", [1, 0, 0, 1, 1, 0], { shape: [3, 2] });
    expect(decide(primary, candidate, argmax)).toEqual({
      from: "1:0",
      to: "1:1",
      flip: true,
      changes: [{ from: "0", to: "1", count: 1 }],
    });
    expect(decide(primary, primary, argmax)).toEqual({ from: "0:0 1:0 2:0", to: "0:0 1:0 2:0", flip: false });
    expect(decide(primary, candidate, half)).toMatchObject({
      from: "2:above 3:below",
      to: "2:below 3:above",
    });
  });

  test("reads rows wherever they lie among blocks, and at most 16", () => {
    const rows = 3000;
    const scores = Array.from({ length: rows * 3 }, (_, i) => Number(i % 3 === 1));
    const other = scores.with(2999 * 3, 2).with(1365 * 3 + 2, 2);
    const shape = [30, 100, 3];
    expect(decide(tensor("UINT8", scores, { shape }), tensor("UINT8", other, { shape }), argmax)).toEqual({
      from: "1365:1 2999:1",
      to: "1365:2 2999:0",
      flip: true,
      changes: [
        { from: "1", to: "2", count: 1 },
        { from: "1", to: "0", count: 1 },
      ],
    });
    const all = scores.map((score) => 1 - score);
    const decided = decide(tensor("UINT8", scores, { shape }), tensor("UINT8", all, { shape }), argmax)!;
    expect(decided.to.split(" ")).toHaveLength(16);
  });

  test("names the most frequent changes first, and counts all rows", () => {
    const classes = (of: readonly number[]) =>
      tensor(
        "UINT8",
        of.flatMap((one) => [0, 1, 2].map((place) => Number(place === one))),
        { shape: [of.length, 3] },
      );
    const before = Array.from({ length: 5000 }, (_, row) => row % 3);
    const after = before.map((one, row) => (row === 17 ? 2 - one : one === 1 ? 2 : one));
    expect(decide(classes(before), classes(after), argmax)).toMatchObject({
      from: expect.stringMatching(/^1:1 4:1 7:1 10:1 13:1 16:1 17:2 /),
      changes: [
        { from: "1", to: "2", count: 1667 },
        { from: "2", to: "0", count: 1 },
      ],
    });
  });

  test("decides from integers and half floats alike", () => {
    expect(decide(tensor("INT64", [-5n, 7n]), tensor("INT64", [9n, 7n]), argmax)?.to).toBe("0");
    expect(decide(tensor("FP16", [0x3c00, 0]), tensor("FP16", [0, 0x3c00]), argmax)?.to).toBe("1");
    expect(decide(tensor("BOOL", [0, 1]), tensor("BOOL", [255, 1]), argmax)?.to).toBe("0");
  });

  test.each([
    ["a scalar", tensor("FP32", [1], { shape: [] }), { from: "0", to: "0", flip: false }],
    ["no elements", tensor("FP32", [], { shape: [4, 0] }), null],
    ["no rows", tensor("FP32", [], { shape: [0, 4] }), null],
    ["text", tensor("BYTES", ["a", "b"]), null],
  ])("%s", (_, output, decided) => {
    expect(decide(output, output, argmax)).toEqual(decided);
  });
});
