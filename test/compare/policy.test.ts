import { describe, expect, test } from "vitest";
import {
  defaultPolicy,
  ignoredBecause,
  ignoresEnded,
  parsePolicy,
  policyFor,
} from "../../src/compare/policy.js";
import { UnderstudyError } from "../../src/errors.js";

function messageFor(body: unknown): string {
  try {
    parsePolicy(body);
  } catch (error) {
    expect(error).toBeInstanceOf(UnderstudyError);
    expect((error as UnderstudyError).code).toBe("invalid_request");
    return (error as UnderstudyError).message;
  }
  throw new Error("the policy was accepted");
}

describe("parsePolicy", () => {
  test("fills in the tolerances that the tools themselves have", () => {
    const { outputs } = parsePolicy({
      outputs: { a: { rule: "numpy" }, b: { rule: "polygraphy" }, "*": { rule: "exact" } },
    });
    expect(outputs).toEqual({
      a: { rule: "numpy", atol: 1e-8, rtol: 1e-5 },
      b: { rule: "polygraphy", atol: 1e-5, rtol: 1e-5 },
      "*": { rule: "exact" },
    });
  });

  test("reads again what it gave", () => {
    const policy = parsePolicy({
      outputs: {
        scores: {
          rule: "numpy",
          atol: 0.01,
          mismatchFraction: 0.001,
          equalNan: true,
          decision: { type: "topk", k: 5, ordered: true },
          ignore: { reason: "being retrained", until: "2027-01-31" },
        },
        text: { rule: "json", ignore: { reason: "free text", until: "2027-01-31T12:00:00+01:00" } },
      },
      parameters: "fail",
    });
    expect(parsePolicy(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
    expect(parsePolicy(defaultPolicy)).toEqual(defaultPolicy);
  });

  test.each([
    [null, "policy: "],
    [{}, "outputs: "],
    [{ outputs: {}, parameter: "fail" }, "policy: Unrecognized key"],
    [{ outputs: {}, parameters: "warn" }, "parameters: must be report or fail"],
    [
      { outputs: { y: {} } },
      'outputs.y.rule: must have a "rule" of numpy, polygraphy, exact, ulp, cosine, bytes or json',
    ],
    [{ outputs: { y: { rule: "close" } } }, "outputs.y.rule: must have"],
    [{ outputs: { y: { rule: "numpy", atol: -1 } } }, "outputs.y.atol: must be 0 or more"],
    [{ outputs: { y: { rule: "numpy", atol: "1" } } }, "outputs.y.atol: must be a number"],
    [{ outputs: { y: { rule: "numpy", rtol: NaN } } }, "outputs.y.rtol: must be a number"],
    [{ outputs: { y: { rule: "numpy", rtol: Infinity } } }, "outputs.y.rtol: "],
    [{ outputs: { y: { rule: "exact", atol: 0.1 } } }, 'outputs.y: Unrecognized key: "atol"'],
    [{ outputs: { y: { rule: "numpy", tol: 0.1 } } }, 'outputs.y: Unrecognized key: "tol"'],
    [
      { outputs: { y: { rule: "exact", mismatchFraction: 2 } } },
      "outputs.y.mismatchFraction: must be at most 1",
    ],
    [{ outputs: { y: { rule: "exact", decision: { type: "topk" } } } }, "outputs.y.decision.k: "],
    [
      { outputs: { y: { rule: "exact", decision: { type: "topk", k: 0 } } } },
      "outputs.y.decision.k: must be at least 1",
    ],
    [{ outputs: { y: { rule: "exact", decision: { type: "vote" } } } }, "outputs.y.decision.type: must have"],
    [{ outputs: { y: { rule: "exact", ignore: {} } } }, "outputs.y.ignore.reason: must say why"],
    [{ outputs: { y: { rule: "exact", ignore: { reason: " " } } } }, "outputs.y.ignore.reason: must say why"],
    [
      { outputs: { y: { rule: "exact", ignore: { reason: "x", until: "tomorrow" } } } },
      "outputs.y.ignore.until: must be a date",
    ],
    [{ outputs: { y: { rule: "ulp", maxUlps: -1 } } }, "outputs.y.maxUlps: must be 0 or more"],
    [{ outputs: { y: { rule: "ulp", maxUlps: 2 ** 53 } } }, "outputs.y.maxUlps: "],
    [{ outputs: { y: { rule: "ulp", atol: 1 } } }, 'outputs.y: Unrecognized key: "atol"'],
    [{ outputs: { y: { rule: "cosine", minCosine: 1.1 } } }, "outputs.y.minCosine: must be at most 1"],
    [{ outputs: { y: { rule: "cosine", mismatchFraction: 0 } } }, 'Unrecognized key: "mismatchFraction"'],
    [
      { outputs: { y: { rule: "numpy", statistic: "mode" } } },
      "outputs.y.statistic: must be one of elementwise, max, mean, median, quantile",
    ],
    [{ outputs: { y: { rule: "exact", statistic: "mean" } } }, 'Unrecognized key: "statistic"'],
    [
      { outputs: { y: { rule: "polygraphy", quantile: 0.9 } } },
      'outputs.y.quantile: needs "statistic": "quantile"',
    ],
    [
      { outputs: { y: { rule: "numpy", statistic: "mean", quantile: 0.9 } } },
      'outputs.y.quantile: needs "statistic": "quantile"',
    ],
    [
      { outputs: { y: { rule: "numpy", statistic: "mean", mismatchFraction: 0.1 } } },
      "outputs.y.mismatchFraction: counts single elements",
    ],
    [
      { outputs: { y: { rule: "numpy", statistic: "quantile", quantile: 1.1 } } },
      "outputs.y.quantile: must be at most 1",
    ],
    [{ outputs: { y: { rule: "exact", cast: [] } } }, "outputs.y.cast: must be true, false, or a list"],
    [{ outputs: { y: { rule: "exact", cast: ["float16"] } } }, "outputs.y.cast: must be true, false, or"],
    [{ outputs: { y: { rule: "bytes", cast: true } } }, 'outputs.y: Unrecognized key: "cast"'],
    [
      { outputs: { y: { rule: "exact", decision: { type: "boxes", iou: 0 } } } },
      "outputs.y.decision.iou: must be more than 0",
    ],
    [
      { outputs: { y: { rule: "exact", decision: { type: "boxes", format: "yxyx" } } } },
      "outputs.y.decision.format: must be xyxy, xywh or cxcywh",
    ],
    [
      { outputs: { y: { rule: "exact", decision: { type: "boxes", scores: 3 } } } },
      "outputs.y.decision.scores: must be at least 4",
    ],
    [
      { outputs: { y: { rule: "exact", decision: { type: "boxes", scoreMin: 0.5 } } } },
      'outputs.y.decision.scoreMin: needs "scores"',
    ],
    [
      { outputs: { y: { rule: "exact", decision: { type: "boxes", scores: 4, classes: 4 } } } },
      "outputs.y.decision.classes: must be another column than scores",
    ],
    [
      { outputs: { y: { rule: "exact", decision: { type: "classification", k: 0 } } } },
      "outputs.y.decision.k: must be at least 1",
    ],
  ])("refuses %j, naming the place", (body, message) => {
    expect(messageFor(body)).toContain(message);
  });

  test("names every fault at once", () => {
    const message = messageFor({
      outputs: { a: { rule: "numpy", atol: -1 }, b: { rule: "numpy", rtol: -1 } },
    });
    expect(message).toContain("outputs.a.atol");
    expect(message).toContain("outputs.b.rtol");
  });
});

describe("defaults", () => {
  test.each([
    [{ rule: "numpy" }, { rule: "numpy", atol: 1e-8, rtol: 1e-5 }],
    [{ rule: "polygraphy" }, { rule: "polygraphy", atol: 1e-5, rtol: 1e-5 }],
    [{ rule: "ulp" }, { rule: "ulp", maxUlps: 1 }],
    [{ rule: "cosine" }, { rule: "cosine", minCosine: 0.997 }],
    [
      { rule: "exact", decision: { type: "boxes" } },
      { rule: "exact", decision: { type: "boxes", iou: 0.5, format: "xyxy" } },
    ],
    [
      { rule: "bytes", decision: { type: "classification" } },
      { rule: "bytes", decision: { type: "classification", k: 1 } },
    ],
  ])("%j is %j, and stays so", (given, expected) => {
    const policy = parsePolicy({ outputs: { y: given } });
    expect(policy).toEqual({ outputs: { y: expected } });
    expect(parsePolicy(policy)).toEqual(policy);
  });
});

describe("policyFor", () => {
  const policy = parsePolicy({ outputs: { a: { rule: "exact" }, "*": { rule: "bytes" } } });

  test.each([
    ["a", "exact"],
    ["b", "bytes"],
    ["toString", "bytes"],
    ["__proto__", "bytes"],
  ])("judges %s by %s", (output, rule) => {
    expect(policyFor(policy, output).rule).toBe(rule);
  });

  test("falls back to the default", () => {
    expect(policyFor({ outputs: {} }, "a")).toEqual(defaultPolicy.outputs["*"]);
  });
});

test("ignores that ended between two moments", () => {
  const at = Date.parse("2027-01-31T00:00:00Z");
  const ignore = { reason: "noise", until: "2027-01-31" };
  const policy = parsePolicy({
    outputs: {
      a: { rule: "exact", ignore },
      b: { rule: "exact", ignore: { reason: "for good" } },
      c: { rule: "exact" },
    },
  });
  expect(ignoresEnded(policy, at - 1, at)).toEqual(["a"]);
  expect(ignoresEnded(policy, at, at + 1)).toEqual([]);
  expect(ignoresEnded(policy, at - 2, at - 1)).toEqual([]);
});

describe("ignoredBecause", () => {
  const at = Date.parse("2027-01-31T00:00:00Z");
  test.each([
    [undefined, at, null],
    [{ reason: "noise" }, at, "noise"],
    [{ reason: "noise", until: "2027-01-31" }, at - 1, "noise"],
    [{ reason: "noise", until: "2027-01-31" }, at, null],
    [{ reason: "noise", until: "2027-01-31T01:00:00+01:00" }, at, null],
    [{ reason: "noise", until: "2027-01-31T01:00:00+01:00" }, at - 1, "noise"],
  ])("%j at %i is %j", (ignore, nowMs, expected) => {
    expect(ignoredBecause({ rule: "exact", ignore }, nowMs)).toBe(expected);
  });
});
