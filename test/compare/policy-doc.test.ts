import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { judge } from "../../src/compare/judge.js";
import { parsePolicy } from "../../src/compare/policy.js";
import { parsePolicyText } from "../../src/compare/policy-text.js";
import { answered } from "./tensors.js";
import { writtenTensor } from "./written-tensor.js";

const text = readFileSync(fileURLToPath(new URL("../../docs/policy.md", import.meta.url)), "utf8");

/** A policy of one output, and the rows of the table under it. */
interface Example {
  policy: string;
  primary: string;
  candidate: string;
  about: "result" | "decision";
  expected: string;
}

function examplesIn(document: string): Example[] {
  return [...document.matchAll(/```json\n(\{ "rule".*)\n```\n\n((?:\|.*\n)+)/g)].flatMap(
    ([, policy, table]) => {
      const [head, , ...rows] = table!
        .trim()
        .split("\n")
        .map((line) => line.split(" | "));
      const about = head![2] as Example["about"];
      return rows.map(([primary, candidate, expected]) => ({
        policy: policy!,
        primary: primary!.slice("| `".length, -"`".length),
        candidate: candidate!.slice("`".length, -"`".length),
        about,
        expected: expected!,
      }));
    },
  );
}

describe("docs/policy.md", () => {
  test("its first policy is one", () => {
    const [, whole] = /```json\n(\{\n[\s\S]*?\n\})\n```/.exec(text)!;
    expect(Object.keys(parsePolicyText(whole!).outputs)).toEqual(["logits", "boxes", "request_id", "*"]);
  });

  const examples = examplesIn(text);

  test("has an example of every rule, decision and option", () => {
    const policies = [...new Set(examples.map(({ policy }) => policy))].map((policy) => JSON.parse(policy));
    const rules = ["numpy", "polygraphy", "exact", "ulp", "cosine", "bytes", "json"];
    expect([...new Set(policies.map(({ rule }) => rule))].sort()).toEqual(rules.sort());
    const decisions = ["argmax", "boxes", "classification", "threshold", "topk"];
    expect([...new Set(policies.flatMap(({ decision }) => decision?.type ?? []))].sort()).toEqual(decisions);
    const options = ["mismatchFraction", "equalNan", "statistic", "quantile", "cast", "decision"];
    const seen = new Set(policies.flatMap((policy) => Object.keys(policy)));
    expect(options.filter((option) => !seen.has(option))).toEqual([]);
  });

  test.each(examples)(
    "$policy: $primary, $candidate is $expected",
    ({ policy, primary, candidate, about, expected }) => {
      const { result, kind, outputs } = judge(
        answered([writtenTensor(primary)]),
        answered([writtenTensor(candidate)]),
        parsePolicy({ outputs: { "*": JSON.parse(policy) } }),
        0,
      );
      const { decision } = outputs[0]!;
      const found = {
        result: kind === null ? result : `${result} ${kind}`,
        decision: `\`${decision?.from}\` → \`${decision?.to}\``,
      };
      expect(found[about]).toBe(expected);
    },
  );
});
