import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { judge } from "../../src/compare/judge.js";
import { parsePolicy } from "../../src/compare/policy.js";
import { plainJson } from "../../src/protocol/json.js";
import { answeredBytes } from "../compare/tensors.js";
import { documentedDifferences } from "./documented-differences.js";
import { isNear } from "./near.js";
import { requirePython, runPython } from "./python.js";

// What NumPy and Polygraphy find is reckoned by compare_pairs.py; here the product finds it again, from the bodies.

const python = requirePython("numpy", "polygraphy.comparator");
const seed = process.env.UNDERSTUDY_TEST_SEED ?? String(Date.now());

interface Pair {
  datatype: string;
  shape: number[];
  primary: { body: string; headerLength: number };
  candidate: { body: string; headerLength: number };
  /** That NumPy finds in float64; none where there are no numbers, or no like ones. */
  metrics: Record<string, unknown>;
  judgements: Judgement[];
}

interface Judgement {
  policy: { rule: "numpy" | "polygraphy"; atol: number; rtol: number; statistic?: string };
  /** By NumPy, in float64. */
  mismatches: number;
  kind: string | null;
  statistic?: { abs: unknown; rel: unknown };
  /** By Polygraphy. `known`: documented differences that may make it find otherwise; without any, its statistic. */
  polygraphy?: { verdict: string; known: string[]; abs?: unknown; rel?: unknown };
}

interface Found {
  result: string;
  kind: string | null;
  mismatches: number;
  statistic?: { name: string; abs: unknown; rel: unknown };
  [metric: string]: unknown;
}

describe.runIf(python)(`500 random pairs, seed ${seed}`, () => {
  let judged: { pair: Pair; judgement: Judgement; found: Found }[];
  beforeAll(async () => {
    const script = join(import.meta.dirname, "compare_pairs.py");
    const pairs = JSON.parse(await runPython([script, "500", seed])) as Pair[];
    judged = pairs.flatMap((pair) =>
      pair.judgements.map((judgement) => ({ pair, judgement, found: judgedByUs(pair, judgement) })),
    );
  });

  test("NumPy in float64 finds the same verdicts, counts, metrics and statistics", () => {
    expect(judged.filter((one) => !agreesWithNumpy(one)).map(shortly)).toEqual([]);
  });

  test("Polygraphy finds the same verdicts and statistics, but where a documented difference applies", () => {
    const differing = judged.filter((one) => !agreesWithPolygraphy(one));
    expect(
      differing.filter(({ judgement }) => judgement.polygraphy!.known.length === 0).map(shortly),
    ).toEqual([]);
    const names = new Set(judged.flatMap(({ judgement }) => judgement.polygraphy?.known ?? []));
    const documented = new Set(documentedDifferences("Polygraphy").map(({ difference }) => difference));
    expect([...names].filter((name) => !documented.has(name))).toEqual([]);
  });

  test("the pairs are worth something: every datatype, rule, statistic and verdict is well among them", () => {
    const pairs = new Set(judged.map(({ pair }) => pair));
    expect(pairs.size).toBe(500);
    expect(new Set([...pairs].map(({ datatype }) => datatype)).size).toBe(14);
    expect(new Set([...pairs].map(({ shape }) => shape.length))).toEqual(new Set([0, 1, 2, 3, 4]));
    const count = (of: (one: Judgement) => boolean) => judged.filter(({ judgement }) => of(judgement)).length;
    for (const kind of [null, "value", "non_finite", "shape"]) {
      expect(count((one) => one.policy.rule === "numpy" && one.kind === kind)).toBeGreaterThan(5);
    }
    const unexplained = (one: Judgement) => one.polygraphy?.known.length === 0;
    for (const statistic of [undefined, "max", "mean", "median", "quantile"]) {
      for (const verdict of ["match", "mismatch"]) {
        const like = (one: Judgement) =>
          unexplained(one) && one.policy.statistic === statistic && one.polygraphy!.verdict === verdict;
        expect(count(like), `${statistic} ${verdict}`).toBeGreaterThan(5);
      }
    }
    expect(count(unexplained)).toBeGreaterThan(count(({ polygraphy }) => polygraphy !== undefined) / 2);
  });
});

function judgedByUs({ primary, candidate }: Pair, { policy }: Judgement): Found {
  const [expected, actual] = [primary, candidate].map(({ body, headerLength }) =>
    answeredBytes(Buffer.from(body, "base64"), { "inference-header-content-length": String(headerLength) }),
  );
  const { result, outputs } = judge(expected!, actual!, parsePolicy({ outputs: { "*": policy } }), 0);
  return { ...(plainJson(outputs[0]) as Omit<Found, "result">), result } as Found;
}

type Judged = { pair: Pair; judgement: Judgement; found: Found };

function agreesWithNumpy({ pair, judgement, found }: Judged): boolean {
  const { kind, mismatches, statistic } = judgement;
  return (
    found.result === (kind === null ? "match" : "mismatch") &&
    found.kind === kind &&
    found.mismatches === mismatches &&
    Object.entries(pair.metrics).every(([name, expected]) => metricAgrees(name, found[name], expected)) &&
    isNear(found.statistic?.abs, statistic?.abs) &&
    isNear(found.statistic?.rel, statistic?.rel)
  );
}

/** Products of a cosine cancel each other: its error is of the size of 1, not of its own. */
function metricAgrees(name: string, found: unknown, expected: unknown): boolean {
  if (name === "cosine" && typeof found === "number") return Math.abs(found - Number(expected)) <= 1e-12;
  return isNear(found, expected);
}

function agreesWithPolygraphy({ judgement, found }: Judged): boolean {
  const { polygraphy } = judgement;
  if (polygraphy === undefined) return true;
  if (polygraphy.verdict !== found.result) return false;
  if (polygraphy.abs === undefined) return true;
  return (
    isNearInSingle(found.statistic?.abs, polygraphy.abs) &&
    isNearInSingle(found.statistic?.rel, polygraphy.rel)
  );
}

/** Polygraphy's statistics are float32 where the arrays are no finer, and means always: they overflow early. */
function isNearInSingle(found: unknown, expected: unknown): boolean {
  if (expected === "Infinity") return Number(found) > 1e34;
  return isNear(found, expected, 1e-5);
}

function shortly({ pair, judgement, found }: Judged): unknown {
  const { worst: _worst, histogram: _histogram, ...rest } = found;
  return { ...judgement, datatype: pair.datatype, shape: pair.shape, metrics: pair.metrics, found: rest };
}
