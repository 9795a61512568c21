import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OutputComparison } from "../../src/compare/types.js";
import type { ComparisonQuery } from "../../src/store/comparisons.js";
import type { CaptureRow, OutcomeRow } from "../../src/store/types.js";
import {
  addShadow,
  captureRow,
  leaseSegment,
  noonMs,
  openWorld,
  outcomeRow,
  outputComparison,
  type World,
} from "./support.js";

let world: World;
let runId: number;
let captures: CaptureRow[];

const dayMs = 86_400_000;

/** What each capture came to, by its place. Two share a moment, two an error; one is a day older. */
const story: (Partial<OutcomeRow> & { at: number })[] = [
  { at: 0, maxAbs: 0.5 },
  { at: 0, maxAbs: 0.5, candidateMs: 1 },
  {
    at: 1,
    maxAbs: Number.POSITIVE_INFINITY,
    result: "mismatch",
    kind: "value",
    signature: "s1",
    outputs: [output({ output: "a", result: "mismatch", kind: "value" }), output({ output: "b" })],
  },
  {
    at: 2,
    maxAbs: Number.NaN,
    result: "mismatch",
    kind: "shape",
    signature: "s2",
    outputs: [
      output({ output: "a", result: "mismatch", kind: "shape" }),
      output({ output: "b", result: "mismatch", kind: "value" }),
    ],
  },
  {
    at: 3,
    maxAbs: 0,
    result: "ignored",
    kind: "value",
    outputs: [output({ output: "a", result: "ignored", kind: "value" })],
  },
  {
    at: 4,
    maxAbs: null,
    maxRel: null,
    candidateMs: null,
    disposition: "candidate_error",
    reason: "timeout",
    result: "incomparable",
    kind: "timeout",
    outputs: [],
  },
  { at: -dayMs, maxAbs: 0.25 },
];

function output(over: Partial<OutputComparison>): OutputComparison {
  return outputComparison(over);
}

beforeAll(async () => {
  world = await openWorld();
  const { deployment, candidate } = await addShadow(world);
  runId = candidate.liveRunId;
  captures = story.map(({ at }, row) => captureRow(row, { receivedAtMs: noonMs + at }));
  const today = captures.slice(0, -1);
  for (const part of [today, captures.slice(-1)]) {
    const { work } = await leaseSegment(world, deployment.id, part);
    const rows = part.map((capture) => outcomeRow(capture, story[captures.indexOf(capture)]));
    const commit = { workId: work.id, lease: work.lease, judgedAtMs: noonMs, rows };
    expect(await world.store.outcomes.commitWork(commit)).toBe("committed");
  }
});
afterAll(() => world.close());

const query = (over: Partial<ComparisonQuery>): ComparisonQuery => ({
  runId,
  result: null,
  sample: null,
  output: null,
  kind: null,
  signature: null,
  tag: null,
  fromMs: null,
  toMs: null,
  sort: "capturedAt",
  descending: false,
  limit: 100,
  after: null,
  ...over,
});

const placeOf = (captureId: string) => captures.findIndex((capture) => capture.id === captureId);

async function places(over: Partial<ComparisonQuery>): Promise<number[]> {
  return (await world.store.comparisons.list(query(over))).map((row) => placeOf(row.captureId));
}

test.each<[string, Partial<ComparisonQuery>, number[]]>([
  ["all", {}, [0, 1, 2, 3, 4, 5, 6]],
  ["another run", { runId: 999_999 }, []],
  ["a result", { result: "mismatch" }, [2, 3]],
  ["a result without outputs", { result: "incomparable" }, [5]],
  ["a kind, of any output", { kind: "value" }, [2, 3, 4]],
  ["a kind that is a failure", { kind: "timeout" }, [5]],
  ["an output", { output: "b" }, [2, 3]],
  ["an output that mismatches", { output: "b", result: "mismatch" }, [3]],
  ["an output that matches, where another does not", { output: "b", result: "match" }, [2]],
  ["an output of a kind", { output: "a", kind: "value" }, [2, 4]],
  ["an output nobody has", { output: "a' OR TRUE --" }, []],
  ["a signature", { signature: "s2" }, [3]],
  ["from", { fromMs: noonMs + 2 }, [3, 4, 5]],
  ["to, which is left out", { toMs: noonMs + 2 }, [0, 1, 2, 6]],
  ["a span of the day before", { fromMs: noonMs - dayMs, toMs: noonMs - dayMs + 1 }, [6]],
])("filter: %s", async (_, over, expected) => {
  expect((await places(over)).sort()).toEqual(expected);
});

describe.each([
  ["capturedAt", [6, 0, 1, 2, 3, 4, 5]],
  // Postgres: NaN is above everything.
  ["maxAbs", [4, 6, 0, 1, 2, 3]],
  ["candidateMs", [1, 0, 2, 3, 4, 6]],
] as const)("sorted by %s", (sort, ascending) => {
  test.each([1, 2, 3, 100])("pages of %i, both ways, give every row once", async (limit) => {
    for (const descending of [false, true]) {
      const seen: number[] = [];
      for (let after: ComparisonQuery["after"] = null; ; ) {
        const page = await world.store.comparisons.list(query({ sort, descending, limit, after }));
        seen.push(...page.map((row) => placeOf(row.captureId)));
        const last = page.at(-1);
        if (!last || page.length < limit) break;
        const value = { capturedAt: last.capturedAtMs, maxAbs: last.maxAbs, candidateMs: last.candidateMs }[
          sort
        ];
        after = { value: value!, captureId: last.captureId };
      }
      const key = (place: number) => values[sort](place);
      expect([...seen].sort()).toEqual([...ascending].sort());
      expect(seen.map(key)).toEqual((descending ? [...ascending].reverse() : [...ascending]).map(key));
    }
  });
});

/** Within a day, over midnight, of whole days, open at either end; and nothing. */
test.each<[fromMs: number | null, toMs: number | null]>([
  [noonMs + 1, noonMs + 3],
  [noonMs - dayMs, noonMs + 2],
  [noonMs - dayMs + 1, noonMs + 2],
  [noonMs - dayMs / 2, noonMs + dayMs / 2],
  [noonMs - 3 * dayMs, noonMs + 3 * dayMs],
  [noonMs + 2, null],
  [null, noonMs + 2],
  [noonMs + 4, noonMs],
])("a range of time, %s to %s, sorted by anything", async (fromMs, toMs) => {
  for (const over of [{}, { result: "mismatch" }, { output: "a", result: "mismatch" }] as const) {
    for (const sort of ["capturedAt", "maxAbs", "candidateMs"] as const) {
      const whole = await world.store.comparisons.list(query({ ...over, sort }));
      const within = whole.filter(
        ({ capturedAtMs: at }) => (fromMs === null || at >= fromMs) && (toMs === null || at < toMs),
      );
      expect(await world.store.comparisons.list(query({ ...over, sort, fromMs, toMs }))).toEqual(within);
    }
  }
});

const values = {
  capturedAt: (place: number) => story[place]!.at,
  maxAbs: (place: number) => story[place]!.maxAbs,
  candidateMs: (place: number) => story[place]!.candidateMs ?? 2,
};

test("a row keeps its numbers, and names the outputs that mismatch", async () => {
  const [infinite, nan] = await world.store.comparisons.list(query({ result: "mismatch" }));
  expect(infinite).toMatchObject({
    maxAbs: Number.POSITIVE_INFINITY,
    mismatching: ["a"],
    capturedAtMs: noonMs + 1,
    judgedAtMs: noonMs,
  });
  expect(nan).toMatchObject({ maxAbs: Number.NaN, mismatching: ["a", "b"], signature: "s2" });
});

test("one comparison is found by its key, with all that is kept", async () => {
  const full = await world.store.comparisons.get({ captureId: captures[3]!.id, runId });
  expect(full).toMatchObject({
    candidate: "int8",
    maxAbs: Number.NaN,
    capture: { transport: "http-json", status: 200, requestBytes: 256, location: { row: 3, sha256: "00" } },
    outputs: [
      { output: "a", kind: "shape", shape: [1, 10], decisionFrom: "3", details: { candidateShape: [1, 10] } },
      { output: "b", kind: "value" },
    ],
  });
  expect(await world.store.comparisons.get({ captureId: captures[3]!.id, runId: runId + 1 })).toBeNull();
  expect(await world.store.comparisons.get({ captureId: captureRow(0).id, runId })).toBeNull();
});

test.each([
  ["captured_at", ""],
  ["captured_at", "AND result = 'mismatch'"],
  ["captured_at", "AND signature = 's2'"],
  ["max_abs", "AND max_abs IS NOT NULL"],
])("the order by %s %s is that of an index", async (column, where) => {
  const plan = await world.prisma.$transaction(async (tx) => {
    // With a handful of rows a scan is cheaper; what matters is that an index can give this order.
    await tx.$executeRawUnsafe("SET LOCAL enable_seqscan = off");
    await tx.$executeRawUnsafe("SET LOCAL enable_sort = off");
    return tx.$queryRawUnsafe<{ "QUERY PLAN": string }[]>(
      `EXPLAIN SELECT * FROM outcomes WHERE run_id = 1 ${where}
       ORDER BY ${column} DESC, capture_id DESC LIMIT 50`,
    );
  });
  const text = plan.map((row) => row["QUERY PLAN"]).join("\n");
  expect(text).toMatch(/Index Scan Backward/);
  expect(text).not.toMatch(/Sort {2}\(|Seq Scan/);
});
