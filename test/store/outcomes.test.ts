import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { minuteOf } from "../../src/ids.js";
import { createStore } from "../../src/store/store.js";
import { openSeverable } from "./severed.js";
import {
  addShadow,
  captureRow,
  leaseSegment,
  noonMs,
  openWorld,
  outcomeRow,
  outputComparison,
  type World,
  wholeTime,
} from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const judgedAtMs = noonMs + 3_600_000;
const rowsOf = (n: number) => Array.from({ length: n }, (_, row) => captureRow(row));

/** All that the works of one run left behind. */
async function traceOf(runId: number) {
  const where = { runId };
  return {
    outcomes: await world.prisma.outcome.findMany({ where, orderBy: { captureId: "asc" } }),
    diffs: await world.prisma.outputDiff.count({ where }),
    deltas: await world.prisma.rollupDelta.findMany({ where, orderBy: { id: "asc" } }),
    works: await world.prisma.work.findMany({ where, orderBy: { id: "asc" } }),
  };
}

async function dispositionsOf(runId: number) {
  const { counts } = (await world.store.rollups.summary(runId, wholeTime)).get("dispositions")!;
  return Object.fromEntries(counts);
}

test("an outcome keeps every number as it is", async () => {
  const { deployment, candidate } = await addShadow(world);
  const capture = captureRow(0, { primaryMs: 0.1 });
  const { work } = await leaseSegment(world, deployment.id, [capture]);
  const odd = outputComparison({
    output: "odd \0 name",
    result: "mismatch",
    kind: "non_finite",
    shape: [2, 0, Number.MAX_VALUE],
    elements: 2 ** 53 - 1,
    maxAbs: Number.NaN,
    maxRel: Number.POSITIVE_INFINITY,
    meanAbs: Number.NEGATIVE_INFINITY,
    rmse: 5e-324,
    cosine: null,
    decision: { from: "3", to: "5", flip: true },
    worst: [{ index: [0, 1], primary: "NaN", candidate: 1.5, absError: Number.NaN }],
  });
  const rows = [
    outcomeRow(capture, {
      result: "mismatch",
      kind: "non_finite",
      signature: "odd:non_finite",
      flip: true,
      candidateMs: 0.30000000000000004,
      controlMs: Number.POSITIVE_INFINITY,
      maxAbs: Number.NaN,
      maxRel: Number.NEGATIVE_INFINITY,
      details: { text: "a\0b \\u0000 \ud800", big: 2n ** 63n, "key\0": [Number.NaN] },
      outputs: [odd, outputComparison({ output: "scalar", shape: [], datatype: null })],
      facts: [],
    }),
  ];
  const commit = { workId: work.id, lease: work.lease, judgedAtMs, rows };
  expect(await world.store.outcomes.commitWork(commit)).toBe("committed");

  const { outcomes } = await traceOf(candidate.liveRunId);
  expect(outcomes).toMatchObject([
    {
      day: new Date("2026-11-20"),
      captureId: capture.id,
      workId: work.id,
      capturedAt: new Date(capture.receivedAtMs),
      judgedAt: new Date(judgedAtMs),
      result: "mismatch",
      flip: true,
      primaryMs: 0.1,
      candidateMs: 0.30000000000000004,
      details: { text: "a\ufffdb \\u0000 \ufffd", big: "9223372036854775808", "key\ufffd": ["NaN"] },
    },
  ]);
  const exact = await world.prisma.$queryRaw`
    SELECT o.control_ms::text, o.max_abs::text AS o_abs, o.max_rel::text AS o_rel, d.output, d.shape::text,
           d.elements::text, d.max_abs::text, d.max_rel::text, d.mean_abs::text, d.rmse::text, d.cosine, d.flip,
           d.decision_from, d.decision_to, d.details->'worst'->0 AS worst
    FROM outcomes o JOIN output_diffs d USING (day, run_id, capture_id)
    WHERE o.capture_id = ${capture.id}::uuid AND d.output <> 'scalar'`;
  expect(exact).toEqual([
    {
      control_ms: "Infinity",
      o_abs: "NaN",
      o_rel: "-Infinity",
      output: "odd \ufffd name",
      shape: "{2,0,9007199254740991}",
      elements: "9007199254740991",
      max_abs: "NaN",
      max_rel: "Infinity",
      mean_abs: "-Infinity",
      rmse: "5e-324",
      cosine: null,
      flip: true,
      decision_from: "3",
      decision_to: "5",
      worst: { index: [0, 1], primary: "NaN", candidate: 1.5, absError: "NaN" },
    },
  ]);
  const scalar = await world.prisma.outputDiff.findFirst({
    where: { captureId: capture.id, output: "scalar" },
  });
  expect(scalar).toMatchObject({ shape: [], datatype: null, result: "match" });
});

test("facts are counted by captured minute, judged minute, primary version and series", async () => {
  const { deployment, candidate } = await addShadow(world);
  const captures = [
    captureRow(0),
    captureRow(1),
    captureRow(2, { receivedAtMs: noonMs + 60_000 }),
    captureRow(3, { primaryVersion: "2" }),
  ];
  const { work } = await leaseSegment(world, deployment.id, captures);
  const facts = [
    { series: "s", label: "a", value: 3 },
    { series: "s", label: "b", value: 7 },
    { series: "t", label: "a" },
    { series: "odd", label: 'a"b,{\\}', value: Number.NaN },
    { series: "odd", label: "NULL", value: 1 },
  ];
  const rows = captures.map((capture, i) =>
    outcomeRow(capture, { facts: i === 1 ? facts.slice(0, 1) : facts }),
  );
  await world.store.outcomes.commitWork({ workId: work.id, lease: work.lease, judgedAtMs, rows });
  const { deltas } = await traceOf(candidate.liveRunId);
  const seen = deltas.map((d) => {
    const cells = d.labels.map((label, i) => [label, Number(d.counts[i])]).sort();
    expect(d.judgedMinute.getTime()).toBe(minuteOf(judgedAtMs));
    return [
      (d.capturedMinute.getTime() - noonMs) / 60_000,
      d.primaryVersion,
      d.series,
      Object.fromEntries(cells),
      d.maxValue,
    ];
  });
  expect(seen.sort()).toEqual([
    [0, "1", "odd", { 'a"b,{\\}': 1, NULL: 1 }, Number.NaN],
    [0, "1", "s", { a: 2, b: 1 }, 7],
    [0, "1", "t", { a: 1 }, null],
    [0, "2", "odd", { 'a"b,{\\}': 1, NULL: 1 }, Number.NaN],
    [0, "2", "s", { a: 1, b: 1 }, 7],
    [0, "2", "t", { a: 1 }, null],
    [1, "1", "odd", { 'a"b,{\\}': 1, NULL: 1 }, Number.NaN],
    [1, "1", "s", { a: 1, b: 1 }, 7],
    [1, "1", "t", { a: 1 }, null],
  ]);
});

test("delivered a hundred times, it counts once", async () => {
  const { deployment, candidate } = await addShadow(world);
  const captures = rowsOf(20);
  const { work } = await leaseSegment(world, deployment.id, captures);
  const rows = captures.map((capture) => outcomeRow(capture));
  const commit = { workId: work.id, lease: work.lease, judgedAtMs, rows };
  const said = await Promise.all(Array.from({ length: 100 }, () => world.store.outcomes.commitWork(commit)));
  expect(said).toContain("committed");
  const before = await traceOf(candidate.liveRunId);
  expect(before).toMatchObject({ diffs: 20, works: [{ state: "done" }] });
  expect(before.outcomes).toHaveLength(20);
  expect(await dispositionsOf(candidate.liveRunId)).toEqual({ compared: 20 });
  expect(await world.store.outcomes.commitWork(commit)).toBe("committed");
  expect(await traceOf(candidate.liveRunId)).toEqual(before);
});

test("a worker that slept past its lease changes nothing, before and after the other's commit", async () => {
  const { deployment, candidate } = await addShadow(world);
  const { work: works, outcomes } = world.store;
  const captures = rowsOf(3);
  const { work: stale } = await leaseSegment(world, deployment.id, captures);
  await world.prisma.$executeRaw`UPDATE work SET lease_until = now() - interval '1 s' WHERE id = ${stale.id}`;
  const taken = (await works.lease(stale.id, "another", 60_000))!;
  const late = captures.map((capture) => outcomeRow(capture, { result: "mismatch" }));
  const good = captures.map((capture) => outcomeRow(capture));
  const sendLate = () =>
    outcomes.commitWork({ workId: stale.id, lease: stale.lease, judgedAtMs, rows: late });

  const untouched = await traceOf(candidate.liveRunId);
  expect(await sendLate()).toBe("lease_lost");
  expect(await traceOf(candidate.liveRunId)).toEqual(untouched);
  const commit = { workId: taken.id, lease: taken.lease, judgedAtMs, rows: good };
  expect(await outcomes.commitWork(commit)).toBe("committed");
  const committed = await traceOf(candidate.liveRunId);
  expect(await sendLate()).toBe("lease_lost");
  expect(await traceOf(candidate.liveRunId)).toEqual(committed);
  expect(committed.outcomes.map((outcome) => outcome.result)).toEqual(["match", "match", "match"]);
});

test("a lease handed back cannot commit", async () => {
  const { deployment, candidate } = await addShadow(world);
  const captures = rowsOf(1);
  const { work } = await leaseSegment(world, deployment.id, captures);
  await world.store.work.release(work.id, work.lease);
  const rows = captures.map((capture) => outcomeRow(capture));
  const commit = { workId: work.id, lease: work.lease, judgedAtMs, rows };
  expect(await world.store.outcomes.commitWork(commit)).toBe("lease_lost");
  expect((await traceOf(candidate.liveRunId)).outcomes).toEqual([]);
});

test("a commit whose outcome stayed unknown had gone through, and is not counted again", async () => {
  const { deployment, candidate } = await addShadow(world);
  const captures = rowsOf(5);
  const { work } = await leaseSegment(world, deployment.id, captures);
  const way = await openSeverable(world.url);
  const store = createStore(way.url, { poolMax: 1 });
  onTestFinished(async () => {
    await store.close();
    await way.close();
  });
  await store.registry.listDeployments();
  const rows = captures.map((capture) => outcomeRow(capture));
  const commit = { workId: work.id, lease: work.lease, judgedAtMs, rows };
  way.sever();
  await expect(store.outcomes.commitWork(commit)).rejects.toThrow();
  expect(way.severed()).toBe(1);
  expect(await store.outcomes.commitWork(commit)).toBe("committed");
  expect(await dispositionsOf(candidate.liveRunId)).toEqual({ compared: 5 });
});

test("captures that have an outcome already are neither overwritten nor counted", async () => {
  const { deployment, candidate } = await addShadow(world);
  const captures = rowsOf(4);
  const { work: first } = await leaseSegment(world, deployment.id, captures.slice(0, 2));
  const { work: second } = await leaseSegment(world, deployment.id, captures.slice(2));
  const commit = (work: typeof first, rows: ReturnType<typeof outcomeRow>[]) =>
    world.store.outcomes.commitWork({ workId: work.id, lease: work.lease, judgedAtMs, rows });
  await commit(
    first,
    captures.slice(0, 2).map((capture) => outcomeRow(capture)),
  );
  const all = captures.map((capture) => outcomeRow(capture, { result: "mismatch", outputs: [] }));
  await commit(second, [...all, all[3]!]);
  const { outcomes, diffs } = await traceOf(candidate.liveRunId);
  expect(outcomes.map((outcome) => outcome.result)).toEqual(["match", "match", "mismatch", "mismatch"]);
  expect(diffs).toBe(2);
  expect(await dispositionsOf(candidate.liveRunId)).toEqual({ compared: 4 });
});

test("works that have captures in common, committed at the same time, count each once", async () => {
  const { deployment, candidate } = await addShadow(world);
  const captures = rowsOf(40);
  const works = await Promise.all(
    [captures.slice(0, 10), captures.slice(10, 20), captures.slice(20, 30), captures.slice(30)].map(
      async (own) => (await leaseSegment(world, deployment.id, own)).work,
    ),
  );
  const said = await Promise.all(
    works.map((work, i) => {
      const rows = captures.slice(8 * i, 8 * i + 16).map((capture) => outcomeRow(capture));
      return world.store.outcomes.commitWork({ workId: work.id, lease: work.lease, judgedAtMs, rows });
    }),
  );
  expect(said).toEqual(works.map(() => "committed"));
  const { outcomes, diffs } = await traceOf(candidate.liveRunId);
  expect(outcomes).toHaveLength(40);
  expect(diffs).toBe(40);
  expect(await dispositionsOf(candidate.liveRunId)).toEqual({ compared: 40 });
});

test("of outputs that have one name once they are stored, the first is kept", async () => {
  const { deployment, candidate } = await addShadow(world);
  const [capture] = rowsOf(1);
  const { work } = await leaseSegment(world, deployment.id, [capture!]);
  const outputs = ["y\0", "y\ufffd", "y\ud800", "y"].map((output, elements) =>
    outputComparison({ output, elements }),
  );
  const commit = {
    workId: work.id,
    lease: work.lease,
    judgedAtMs,
    rows: [outcomeRow(capture!, { outputs })],
  };
  expect(await world.store.outcomes.commitWork(commit)).toBe("committed");
  const kept = await world.prisma.outputDiff.findMany({ where: { runId: candidate.liveRunId } });
  expect(kept.map(({ output, elements }) => [output, Number(elements)]).sort()).toEqual([
    ["y", 3],
    ["y\ufffd", 0],
  ]);
});

test("a work without rows is done", async () => {
  const { deployment } = await addShadow(world);
  const { work } = await leaseSegment(world, deployment.id, rowsOf(1));
  const commit = { workId: work.id, lease: work.lease, judgedAtMs, rows: [] };
  expect(await world.store.outcomes.commitWork(commit)).toBe("committed");
  expect(await world.prisma.work.findUnique({ where: { id: work.id } })).toMatchObject({ state: "done" });
});
