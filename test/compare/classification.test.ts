import { describe, expect, test } from "vitest";
import { decide } from "../../src/compare/decision.js";
import type { DecisionPolicy } from "../../src/compare/decision-policy.js";
import { tensor } from "./tensors.js";

const top1: DecisionPolicy = { type: "classification", k: 1 };
const top2: DecisionPolicy = { type: "classification", k: 2 };
const top2Ordered: DecisionPolicy = { type: "classification", k: 2, ordered: true };

function decided(
  policy: DecisionPolicy,
  primary: (string | Uint8Array)[],
  candidate: (string | Uint8Array)[],
  shape = [primary.length],
) {
  return decide(tensor("BYTES", primary, { shape }), tensor("BYTES", candidate, { shape }), policy);
}

describe("classification strings", () => {
  test.each<[string, DecisionPolicy, string[], string[], string, string]>([
    ["the first class", top1, ["0.9:3:cat", "0.1:5:dog"], ["0.7:3:cat", "0.3:5:dog"], "3:cat", "3:cat"],
    ["another class", top1, ["0.9:3:cat", "0.1:5:dog"], ["0.6:5:dog", "0.4:3:cat"], "3:cat", "5:dog"],
    ["without labels", top1, ["0.9:3"], ["0.9:5"], "3", "5"],
    ["another label for the same index", top1, ["0.9:3:cat"], ["0.9:3:dog"], "3:cat", "3:dog"],
    ["a label with colons", top1, ["1.0:3:a:b"], ["1.0:3:a:c"], "3:a:b", "3:a:c"],
    ["an empty label", top1, ["1.0:3:"], ["1.0:3:"], "3:", "3:"],
    ["a label over two lines", top1, ["1.0:3:a\nb"], ["1.0:3:a\nb"], "3:a\nb", "3:a\nb"],
    ["negative values, and infinite ones", top1, ["-1.5:3"], ["-inf:3"], "3", "3"],
    ["two as a set", top2, ["0.9:3:c", "0.1:5:d"], ["0.6:5:d", "0.4:3:c"], "3:c,5:d", "3:c,5:d"],
    ["two in order", top2Ordered, ["0.9:3:c", "0.1:5:d"], ["0.6:5:d", "0.4:3:c"], "3:c>5:d", "5:d>3:c"],
    ["fewer than k", top2, ["0.9:3"], ["0.9:4"], "3", "4"],
    ["no classification", top1, ["cat"], ["0.9:3:cat"], "none", "3:cat"],
    ["no index", top1, ["0.9:x:cat"], ["0.9:3:cat"], "none", "3:cat"],
    ["no value", top1, [":3"], ["1:3"], "none", "3"],
    ["NaN", top1, ["0.9:3:cat"], ["nan:3:cat"], "3:cat", "none"],
    ["garbage after the first k", top1, ["0.9:3", "?"], ["0.9:3", "!"], "3", "3"],
    ["garbage on both sides", top1, ["?"], ["!"], "none", "none"],
  ])("%s", (_, policy, primary, candidate, from, to) => {
    expect(decided(policy, primary, candidate)).toMatchObject({ from, to, flip: from !== to });
  });

  test("row by row", () => {
    const rows = ["0.9:1", "0.1:2", "0.8:2", "0.2:1"];
    const other = ["0.9:1", "0.1:2", "0.6:1", "0.4:2"];
    expect(decided(top1, rows, other, [2, 2])).toEqual({
      from: "1:2",
      to: "1:1",
      flip: true,
      changes: [{ from: "2", to: "1", count: 1 }],
    });
    expect(decided(top1, rows, rows, [2, 2])).toEqual({ from: "0:1 1:2", to: "0:1 1:2", flip: false });
  });

  test("of sets, what left and what came", () => {
    const { changes } = decided(top2, ["0.9:1:a,b", "0.1:2"], ["0.9:3", "0.1:2"])!;
    expect(changes).toEqual([{ from: "1:a,b", to: "3", count: 1 }]);
  });

  test("nothing to decide from", () => {
    expect(decided(top1, [], [], [0])).toBeNull();
    expect(decided(top1, [], [], [2, 0])).toBeNull();
    expect(decide(tensor("FP32", [1]), tensor("FP32", [1]), top1)).toBeNull();
    const binary = decided(top1, [Uint8Array.of(0xff, 0xfe)], ["0.9:3"])!;
    expect(binary).toMatchObject({ from: "none", to: "3" });
    expect(
      decide(tensor("BYTES", ["1:2"], { shape: [] }), tensor("BYTES", ["1:3"], { shape: [] }), top1),
    ).toMatchObject({ from: "2", to: "3" });
  });

  test("labels that go on and on are cut where they are shown", () => {
    const decision = decided(top1, [`1:3:${"x".repeat(5000)}a`], [`1:3:${"x".repeat(5000)}b`])!;
    expect(decision.flip).toBe(true);
    expect(decision.from).toHaveLength(200);
    expect(decision.changes![0]!.to).toHaveLength(200);
  });
});
