import { afterAll, beforeAll, expect, test } from "vitest";
import type { Fact } from "../../src/compare/facts.js";
import { bucketOf } from "../../src/stats/sketch.js";
import { createStore } from "../../src/store/store.js";
import type { SeriesCounts } from "../../src/store/types.js";
import {
  addShadow,
  captureRow,
  leaseSegment,
  noonMs,
  openWorld,
  openWorldForTest,
  outcomeRow,
  type World,
  wholeTime,
} from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const minuteMs = 60_000;

/** Commits one work of one capture for each list of facts: captured and judged in the given minutes after noon. */
async function commit(
  own: World,
  deploymentId: number,
  minutes: [captured: number, judged: number],
  facts: Fact[],
) {
  const capture = captureRow(0, { receivedAtMs: noonMs + minutes[0] * minuteMs });
  const { work } = await leaseSegment(own, deploymentId, [capture]);
  const said = await own.store.outcomes.commitWork({
    workId: work.id,
    lease: work.lease,
    judgedAtMs: noonMs + minutes[1] * minuteMs + 59_999,
    rows: [outcomeRow(capture, { facts })],
  });
  expect(said).toBe("committed");
}

const at = (minutes: number) => noonMs + minutes * minuteMs;

test("the summary takes captured minutes, the window judged ones, before and after folding", async () => {
  const { deployment, candidate } = await addShadow(world);
  const { rollups } = world.store;
  const run = candidate.liveRunId;
  await commit(world, deployment.id, [0, 5], [{ series: "results", label: "match" }]);
  await commit(
    world,
    deployment.id,
    [1, 6],
    [
      { series: "results", label: "match" },
      { series: "abs/logits", bucket: 35, value: 2 },
    ],
  );
  await commit(
    world,
    deployment.id,
    [1, 7],
    [
      { series: "results", label: "mismatch" },
      { series: "abs/logits", bucket: 81, value: 5 },
    ],
  );
  await commit(
    world,
    deployment.id,
    [2, 7],
    [{ series: "abs/logits", bucket: 35, value: Number.POSITIVE_INFINITY }],
  );

  const check = async () => {
    expect(await rollups.summary(run, wholeTime)).toEqual(
      new Map([
        [
          "results",
          {
            counts: new Map([
              ["match", 2],
              ["mismatch", 1],
            ]),
            sketch: new Map(),
            max: null,
          },
        ],
        [
          "abs/logits",
          {
            sketch: new Map([
              [35, 2],
              [81, 1],
            ]),
            counts: new Map(),
            max: Number.POSITIVE_INFINITY,
          },
        ],
      ]),
    );
    // The bounds lie within minutes 1 and 1: both are widened to the whole of it.
    expect(await rollups.summary(run, { fromMs: at(1) + 30_000, toMs: at(1) + 40_000 })).toEqual(
      new Map([
        [
          "results",
          {
            counts: new Map([
              ["match", 1],
              ["mismatch", 1],
            ]),
            sketch: new Map(),
            max: null,
          },
        ],
        [
          "abs/logits",
          {
            sketch: new Map([
              [35, 1],
              [81, 1],
            ]),
            counts: new Map(),
            max: 5,
          },
        ],
      ]),
    );
    expect((await rollups.window(run, at(7) + 1)).get("results")).toEqual({
      counts: new Map([["mismatch", 1]]),
      sketch: new Map(),
      max: null,
    });
    expect((await rollups.window(run, at(6))).get("results")?.counts).toEqual(
      new Map([
        ["match", 1],
        ["mismatch", 1],
      ]),
    );
    expect(await rollups.window(run, at(8))).toEqual(new Map());
    expect(await rollups.summary(0, wholeTime)).toEqual(new Map());
  };
  await check();
  // Six of the series, and of each of the four segments two of the account.
  expect(await rollups.compact()).toBe(6 + 4 * 2);
  expect(await world.prisma.rollupDelta.count()).toBe(0);
  await check();
  expect(await rollups.compact()).toBe(0);
  await check();
});

test("labels are told as they are, whatever a model calls its classes, and buckets; no signatures, which may be many", async () => {
  const own = await openWorldForTest();
  const { deployment, candidate } = await addShadow(own);
  const labels = ["1 2→a b", 'x\ny→"z"', "[→]", "→ü\t\\", "NULL", "7"];
  const buckets = [0, 1e-9, 1, 250, Infinity].map(bucketOf);
  const facts: Fact[] = [
    ...labels.map((label) => ({ series: "confusion/y", label })),
    ...buckets.map((bucket) => ({ series: "abs/y", bucket })),
    { series: "signatures", label: "012345678901" },
  ];
  const expected = (n: number) =>
    new Map<string, SeriesCounts>([
      ["confusion/y", { counts: new Map(labels.map((label) => [label, n])), sketch: new Map(), max: null }],
      ["abs/y", { counts: new Map(), sketch: new Map(buckets.map((bucket) => [bucket, n])), max: null }],
    ]);
  const summary = () => own.store.rollups.summary(candidate.liveRunId, wholeTime);
  await commit(own, deployment.id, [0, 0], facts);
  await own.store.rollups.compact();
  expect(await own.prisma.rollup.count({ where: { series: "signatures" } })).toBe(0);
  await commit(own, deployment.id, [1, 1], facts);
  expect(await summary()).toEqual(expected(2));
  const first = { fromMs: noonMs, toMs: noonMs + 60_000 };
  expect((await own.store.rollups.summary(candidate.liveRunId, first)).get("confusion/y")).toEqual(
    expected(1).get("confusion/y"),
  );
});

test("folding into rollups that are there adds up labels and buckets, and keeps the largest", async () => {
  const own = await openWorldForTest();
  const { deployment, candidate } = await addShadow(own);
  const facts = (label: string, value: number): Fact[] => [
    { series: "s", label, value },
    { series: "k", bucket: bucketOf(value % 3), value },
  ];
  for (const [label, value] of [
    ["a", 3],
    ["b", 9],
    ["a", 1],
    ["c", 2],
  ] as const) {
    await commit(own, deployment.id, [0, 0], facts(label, value));
    await own.store.rollups.compact();
  }
  expect(await own.store.rollups.summary(candidate.liveRunId, wholeTime)).toEqual(
    new Map([
      [
        "s",
        {
          counts: new Map([
            ["a", 2],
            ["b", 1],
            ["c", 1],
          ]),
          sketch: new Map(),
          max: 9,
        },
      ],
      [
        "k",
        {
          counts: new Map(),
          sketch: new Map([
            [bucketOf(0), 2],
            [bucketOf(1), 1],
            [bucketOf(2), 1],
          ]),
          max: 9,
        },
      ],
    ]),
  );
  // Of each level one row.
  expect(
    (await own.prisma.rollup.findMany({ where: { series: "k" } })).map(({ level }) => level).sort(),
  ).toEqual(["day", "ever", "five_minutes", "four_hours", "hour", "minute", "quarter_hour", "week"]);
});

test("more deltas than one statement folds", async () => {
  const own = await openWorldForTest();
  const { candidate } = await addShadow(own);
  await own.prisma.$executeRaw`
    INSERT INTO rollup_deltas (run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
    SELECT ${candidate.liveRunId}, to_timestamp(i % 7 * 60), to_timestamp(0), '1', 's', ARRAY['a','b'], ARRAY[1, 2]
    FROM generate_series(1, 4500) i`;
  expect(await own.store.rollups.compact()).toBe(4500);
  expect(await own.store.rollups.summary(candidate.liveRunId, wholeTime)).toEqual(
    new Map([
      [
        "s",
        {
          counts: new Map([
            ["a", 4500],
            ["b", 9000],
          ]),
          sketch: new Map(),
          max: null,
        },
      ],
    ]),
  );
});

test("while one process folds, another leaves it alone", async () => {
  const own = await openWorldForTest();
  const { deployment } = await addShadow(own);
  await commit(own, deployment.id, [0, 0], [{ series: "s", label: "a" }]);
  await own.prisma.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('understudy'), hashtext('compact'))`;
    expect(await own.store.rollups.compact()).toBe(0);
  });
  expect(await own.store.rollups.compact()).toBe(1 + 2);
});

test("counts are conserved while works commit and compactors run", async () => {
  const own = await openWorldForTest();
  const { deployment, candidate } = await addShadow(own);
  const another = createStore(own.url, { poolMax: 4 });
  const facts: Fact[] = [
    { series: "dispositions", label: "compared" },
    { series: "results", label: "match" },
  ];
  const total = 150;
  let started = 0;
  let committed = 0;
  let folded = 0;
  const count = async () =>
    (await own.store.rollups.summary(candidate.liveRunId, wholeTime)).get("results")?.counts.get("match") ??
    0;
  const committer = async () => {
    while (started < total) {
      started++;
      await commit(own, deployment.id, [started % 2, 0], facts);
      committed++;
    }
  };
  const compactor = async (store: typeof another) => {
    while (committed < total) {
      const taken = await store.rollups.compact();
      folded += taken;
    }
  };
  let reads = 0;
  const reader = async () => {
    while (committed < total) {
      const before = committed;
      const seen = await count();
      expect(seen).toBeGreaterThanOrEqual(before);
      expect(seen).toBeLessThanOrEqual(started);
      reads++;
    }
  };
  await Promise.all([
    committer(),
    committer(),
    committer(),
    compactor(own.store),
    compactor(another),
    reader(),
  ]);
  await another.close();
  expect(await count()).toBe(total);
  folded += await own.store.rollups.compact();
  expect(await count()).toBe(total);
  expect(folded).toBe((2 + 2) * total);
  expect(reads).toBeGreaterThan(0);
});

test("a range may end with the year 9999, after which Postgres writes no time as we do", async () => {
  const own = await openWorldForTest();
  const { deployment, candidate } = await addShadow(own);
  await commit(own, deployment.id, [0, 0], [{ series: "s", label: "a" }]);
  const last = { fromMs: null, toMs: Date.parse("9999-12-31T23:59:59.999Z") };
  for (const during of ["before folding", "after folding"]) {
    const found = await own.store.rollups.summary(candidate.liveRunId, last);
    expect(found.get("s")?.counts, during).toEqual(new Map([["a", 1]]));
    await own.store.rollups.compact();
  }
});

test("a range says the same from deltas, from their levels, and when the finest are gone", async () => {
  const own = await openWorldForTest();
  const { candidate } = await addShadow(own);
  const run = candidate.liveRunId;
  const { rollups } = own.store;
  const dayMs = 86_400_000;
  const today = Math.floor(Date.now() / dayMs) * dayMs;
  const startMs = today - 50 * dayMs;
  // One every seven minutes for five days, long ago.
  await own.prisma.$executeRaw`
    INSERT INTO rollup_deltas (run_id, captured_minute, judged_minute, primary_version, series, labels, buckets, counts, max_value)
    SELECT ${run}, at, at, (i % 2)::text, s.series, s.labels, s.buckets, ARRAY[1, 2], i
    FROM generate_series(0, 1028) AS i, LATERAL (SELECT to_timestamp(${startMs / 1000} + i * 420) AS at) AS t,
      LATERAL (VALUES ('s', ARRAY['a', 'b' || i % 3], NULL), ('k', NULL, ARRAY[-i % 5, i % 7])) AS s(series, labels, buckets)`;
  const day = 1440;
  const ranges = [
    [0, 7],
    [59, 61],
    [100, 200],
    [30, 5 * day],
    [day, 2 * day],
    [day - 1, 3 * day + 61],
  ].map(([from, to]) => ({ fromMs: startMs + from! * minuteMs, toMs: startMs + to! * minuteMs }));
  const openEnded = [
    { fromMs: startMs + 777 * minuteMs, toMs: null },
    { fromMs: null, toMs: startMs + 777 * minuteMs },
    wholeTime,
  ];
  const read = async (asked: { fromMs: number | null; toMs: number | null }[]) =>
    Promise.all(asked.map((range) => rollups.summary(run, range)));
  const fromDeltas = await read([...ranges, ...openEnded]);
  expect(fromDeltas[0]!.get("s")?.counts.get("a")).toBe(1);
  expect(fromDeltas[0]!.get("k")?.sketch).toEqual(new Map([[0, 3]]));
  await rollups.compact();
  expect(await read([...ranges, ...openEnded])).toEqual(fromDeltas);

  // The first turn says what will go, the second takes it: who reads meanwhile misses nothing.
  const levels = async () =>
    new Set((await own.prisma.rollup.findMany({ where: { axis: "captured" } })).map(({ level }) => level));
  expect(await rollups.dropFine({ minuteDays: 35, hourDays: 400 })).toBe(0);
  expect(await rollups.dropFine({ minuteDays: 35, hourDays: 400 })).toBeGreaterThan(1000);
  expect(await levels()).toEqual(new Set(["hour", "four_hours", "day", "week", "ever"]));
  const hourMs = 60 * minuteMs;
  const widened = (stepMs: number) =>
    ranges.map(({ fromMs, toMs }) => ({
      fromMs: Math.floor(fromMs / stepMs) * stepMs,
      toMs: Math.ceil(toMs / stepMs) * stepMs,
    }));
  expect(await read(ranges)).toEqual(await read(widened(hourMs)));
  expect(await read([ranges[4]!])).toEqual([fromDeltas[4]]);
  await rollups.dropFine({ minuteDays: 10, hourDays: 20 });
  await rollups.dropFine({ minuteDays: 10, hourDays: 20 });
  expect(await levels()).toEqual(new Set(["day", "week", "ever"]));
  expect(await read(ranges)).toEqual(await read(widened(dayMs)));
  expect(await read([ranges[4]!, wholeTime])).toEqual([fromDeltas[4], fromDeltas.at(-1)]);
});
