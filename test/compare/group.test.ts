import { expect, test } from "vitest";
import { groupOf } from "../../src/compare/group.js";
import { judge } from "../../src/compare/judge.js";
import type { Policy } from "../../src/compare/policy.js";
import { signatureOf } from "../../src/compare/signature.js";
import type { Observation } from "../../src/upstream/observation.js";
import { answered, tensor } from "./tensors.js";

const policy: Policy = {
  outputs: {
    "*": { rule: "exact" },
    scores: { rule: "exact", decision: { type: "argmax" } },
    aside: { rule: "exact", ignore: { reason: "not used" } },
  },
  parameters: "fail",
};
const of = (...outputs: [string, number[]][]) =>
  answered(outputs.map(([name, values]) => tensor("FP32", values, { name })));

// Each row: what the primary and the candidate answered, and the group of it.
test.each([
  [
    "the gravest kind leads",
    of(["a", [1]], ["b", [1]]),
    of(["a", [2]]),
    { kind: "missing_output", output: "b", magnitude: null, flip: null, shape: [1] },
  ],
  [
    "of one kind the first by name",
    of(["b", [1]], ["a", [1]]),
    of(["b", [5]], ["a", [1.03125]]),
    { kind: "value", output: "a", magnitude: 0.01, flip: null, shape: [1] },
  ],
  [
    "with its decision, whatever is ignored",
    of(["aside", [1]], ["scores", [1, 0, 0]]),
    of(["aside", [9]], ["scores", [0, 1, 0]]),
    { kind: "value", output: "scores", magnitude: 1, flip: true, shape: [3] },
  ],
])("%s", (_, primary, candidate, group) => {
  const comparison = judge(primary, candidate, policy, 0);
  expect(groupOf(comparison)).toEqual({ ...group, signature: comparison.signature });
  // What is told of the group is what its signature was made from.
  const lead = comparison.outputs.find(({ output }) => output === group.output)!;
  expect(signatureOf(lead.kind!, lead)).toBe(comparison.signature);
});

test("of the answer as a whole: no output", () => {
  const primary = of(["a", [1]]);
  const unreadable = judge(primary, { ...primary, body: Buffer.from("{") } as Observation, policy, 0);
  expect(groupOf(unreadable)).toEqual({
    ...{ signature: unreadable.signature, kind: "undecodable" },
    ...{ output: null, magnitude: null, flip: null, shape: null },
  });
});

test("of what is no divergence: none", () => {
  const primary = of(["a", [1]]);
  expect(groupOf(judge(primary, primary, policy, 0))).toBeNull();
});
