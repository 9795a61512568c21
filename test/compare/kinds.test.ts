import { describe, expect, test } from "vitest";
import { judge } from "../../src/compare/judge.js";
import type { Policy } from "../../src/compare/policy.js";
import { differenceKinds, incomparableKinds } from "../../src/compare/types.js";
import { failureKinds, type Observation } from "../../src/upstream/observation.js";
import { answered, answeredBytes, failed, tensor } from "./tensors.js";

const policy: Policy = { outputs: { "*": { rule: "exact" } }, parameters: "fail" };
const y = tensor("FP32", [1]);
const garbage = answeredBytes(Buffer.from("{"));

/** Every kind there is, and a pair of observations that has it. */
const pairs: Record<string, [Observation, Observation]> = {
  undecodable: [answered([y]), garbage],
  missing_output: [answered([y]), answered([])],
  extra_output: [answered([]), answered([y])],
  dtype: [answered([y]), answered([tensor("FP64", [1])])],
  shape: [answered([y]), answered([tensor("FP32", [1, 1])])],
  non_finite: [answered([y]), answered([tensor("FP32", [NaN])])],
  value: [answered([y]), answered([tensor("FP32", [2])])],
  parameters: [answered([y]), answered([y], { parameters: { seed: 1 } })],
  ...Object.fromEntries(failureKinds.map((kind) => [kind, [answered([y]), failed(kind)]])),
  both_failed: [failed("timeout"), failed("timeout")],
  primary_failed: [failed("timeout"), answered([y])],
  primary_undecodable: [garbage, answered([y])],
};

describe("kinds", () => {
  test("all have their pair", () => {
    expect(Object.keys(pairs)).toEqual([...differenceKinds, ...failureKinds, ...incomparableKinds]);
  });

  test.each(Object.entries(pairs))("%s", (kind, [primary, candidate]) => {
    const comparison = judge(primary, candidate, policy, 0);
    const isDifference = (differenceKinds as readonly string[]).includes(kind);
    expect(comparison).toMatchObject({ kind, result: isDifference ? "mismatch" : "incomparable" });
  });

  test("two failures are told apart in the message", () => {
    const { message } = judge(failed("timeout"), failed("http_5xx"), policy, 0);
    expect(message).toBe("primary timeout: it was timeout; candidate http_5xx: it was http_5xx");
  });
});
