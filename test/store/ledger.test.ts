import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLedgerReader } from "../../src/store/ledger.js";
import { createStore } from "../../src/store/store.js";
import type { CaptureRow, Ledger, OutcomeRow } from "../../src/store/types.js";
import {
  addShadow,
  captureRow,
  leaseSegment,
  ledgerMinute,
  newCandidate,
  noonMs,
  openWorld,
  openWorldForTest,
  outcomeRow,
  segmentCommit,
  type World,
  wholeTime,
} from "./support.js";

const minuteMs = 60_000;

async function commitRows(world: World, deploymentId: number, captures: CaptureRow[], rows: OutcomeRow[]) {
  const { work } = await leaseSegment(world, deploymentId, captures);
  const commit = { workId: work.id, lease: work.lease, judgedAtMs: noonMs, rows };
  expect(await world.store.outcomes.commitWork(commit)).toBe("committed");
  return work;
}

test("a deployment without traffic", async () => {
  const world = await openWorldForTest();
  const { deployment } = await addShadow(world);
  const nothing: Ledger = {
    received: 0,
    inFlight: 0,
    sampledOut: 0,
    notEligible: {},
    dropped: {},
    lost: 0,
    buffered: 0,
    captured: 0,
    candidates: {
      int8: {
        compared: 0,
        candidateError: {},
        notReplayed: {},
        expired: 0,
        dead: 0,
        erased: 0,
        pending: 0,
      },
    },
    balanced: true,
  };
  expect(await world.store.ledger.read(deployment.id, wholeTime)).toEqual(nothing);
});

test("every term, by minute", async () => {
  const world = await openWorldForTest();
  const { deployment } = await addShadow(world);
  const { catalogue, ledger } = world.store;
  // Six captures in minute 0 and two in minute 1, one by one request left out (`segmentCommit`).
  const captures = [0, 1, 2, 3, 4, 5, 60_000, 60_001].map((ms, row) =>
    captureRow(row, { receivedAtMs: noonMs + ms, sample: row === 0 ? "targeted" : "base" }),
  );
  await commitRows(world, deployment.id, captures, [
    outcomeRow(captures[0]!),
    outcomeRow(captures[1]!, { disposition: "candidate_error", reason: "timeout" }),
    outcomeRow(captures[2]!, { disposition: "candidate_error", reason: "http_5xx" }),
    outcomeRow(captures[3]!, { disposition: "not_replayed", reason: "blob_corrupt" }),
    outcomeRow(captures[4]!, { disposition: "expired" }),
    outcomeRow(captures[5]!, { disposition: "erased" }),
    outcomeRow(captures[6]!),
    outcomeRow(captures[7]!, { disposition: "candidate_error", reason: "timeout" }),
  ]);
  await catalogue.commitSegment(
    segmentCommit(deployment.id, [captureRow(0, { receivedAtMs: noonMs + minuteMs })]),
  );
  await catalogue.shipCut({
    ...segmentCommit(deployment.id, captures).cut,
    counts: [
      ledgerMinute(deployment.id, noonMs, {
        received: 21,
        inFlight: 1,
        sampledOut: 2,
        buffered: 3,
        lost: 4,
        notEligible: { parse: 5 },
        dropped: { buffer_full: 4, client_abort: 2 },
      }),
    ],
  });
  const first = {
    received: 33,
    inFlight: 1,
    sampledOut: 8,
    notEligible: { parse: 5 },
    dropped: { buffer_full: 4, client_abort: 2 },
    lost: 4,
    buffered: 3,
    captured: 6,
    candidates: {
      int8: {
        compared: 1,
        candidateError: { timeout: 1, http_5xx: 1 },
        notReplayed: { blob_corrupt: 1 },
        expired: 1,
        dead: 0,
        erased: 1,
        pending: 0,
      },
    },
    balanced: true,
  };
  const whole = {
    ...first,
    received: 39,
    sampledOut: 11,
    captured: 9,
    candidates: {
      int8: {
        ...first.candidates.int8,
        compared: 2,
        candidateError: { timeout: 2, http_5xx: 1 },
        pending: 1,
      },
    },
  };
  for (const during of ["before folding", "after folding"]) {
    expect(await ledger.read(deployment.id, wholeTime), during).toEqual(whole);
    const range = { fromMs: noonMs + 10, toMs: noonMs + 20 };
    expect(await ledger.read(deployment.id, range), during).toEqual(first);
    await world.store.rollups.compact();
  }
});

test("captures from before a run was opened are not assigned to it", async () => {
  const world = await openWorldForTest();
  const { deployment } = await addShadow(world);
  const { registry, ledger } = world.store;
  const captures = [captureRow(0), captureRow(1)];
  await commitRows(
    world,
    deployment.id,
    captures,
    captures.map((capture) => outcomeRow(capture)),
  );
  await registry.addCandidate(deployment.name, newCandidate({ name: "late" }));
  await registry.addCandidate(deployment.name, newCandidate({ sha256: "another" }));
  const later = [captureRow(0), captureRow(1), captureRow(2)];
  await commitRows(
    world,
    deployment.id,
    later,
    later.map((capture) => outcomeRow(capture)),
  );
  expect(await ledger.read(deployment.id, wholeTime)).toMatchObject({
    captured: 5,
    candidates: {
      int8: { compared: 0, pending: 3, notReplayed: { not_assigned: 2 } },
      late: { compared: 3, pending: 0, notReplayed: { not_assigned: 2 } },
    },
    balanced: true,
  });
});

test("captures that a run was given afterwards are assigned to it", async () => {
  const world = await openWorldForTest();
  const { deployment } = await addShadow(world);
  const { registry, catalogue, ledger } = world.store;
  const commit = (rows: number) =>
    catalogue.commitSegment(
      segmentCommit(
        deployment.id,
        Array.from({ length: rows }, (_, row) => captureRow(row)),
      ),
    );
  await commit(3);
  await commit(2);
  await registry.addCandidate(deployment.name, {
    ...newCandidate({ name: "late" }),
    backfill: { sinceMs: null, capturesMax: 3 },
  });
  await commit(4);
  for (const during of ["before folding", "after folding"]) {
    expect(await ledger.read(deployment.id, wholeTime), during).toMatchObject({
      captured: 9,
      candidates: { late: { pending: 7, notReplayed: { not_assigned: 2 } } },
      balanced: true,
    });
    await world.store.rollups.compact();
  }
});

test("a cut counts by what it has more than the one before, and an older one not at all", async () => {
  const world = await openWorldForTest();
  const { deployment } = await addShadow(world);
  const { catalogue, ledger, rollups } = world.store;
  const { cut } = segmentCommit(deployment.id, [captureRow(0)]);
  const ship = (sequence: number, received: number, dropped: Record<string, number>) =>
    catalogue.shipCut({
      ...cut,
      sequence,
      counts: [ledgerMinute(deployment.id, noonMs, { received, buffered: received, dropped })],
    });
  const read = () => ledger.read(deployment.id, wholeTime);
  await ship(1, 5, { buffer_full: 2 });
  await ship(2, 8, { buffer_full: 2, client_abort: 1 });
  await rollups.compact();
  await ship(1, 5, { buffer_full: 2 });
  await ship(2, 8, { buffer_full: 2, client_abort: 1 });
  expect(await read()).toMatchObject({ received: 8, dropped: { buffer_full: 2, client_abort: 1 } });
  // All at once: whichever comes last, only the newest counts.
  await Promise.all(Array.from({ length: 20 }, (_, i) => ship(3 + i, 10 + i, { client_abort: i })));
  await ship(23, 30, { client_abort: 20 });
  expect(await read()).toMatchObject({ received: 30, buffered: 30, dropped: { client_abort: 20 } });
});

test("a range says the same from deltas, from their levels, and when the finest are gone", async () => {
  const world = await openWorldForTest();
  const { deployment } = await addShadow(world);
  const { catalogue, ledger, rollups } = world.store;
  const hourMs = 60 * minuteMs;
  const startMs = noonMs - 40 * 24 * hourMs;
  // A segment of two captures 25 minutes apart every seven hours, for ten days.
  for (let i = 0; i < 34; i++) {
    const atMs = startMs + i * 7 * hourMs;
    const captures = [
      captureRow(0, { receivedAtMs: atMs }),
      captureRow(1, { receivedAtMs: atMs + 25 * minuteMs }),
    ];
    await catalogue.commitSegment(segmentCommit(deployment.id, captures));
  }
  const hours = [
    [0, 1],
    [0.2, 7.2],
    [0.5, 48.3],
    [12, 36],
    [36, 84],
    [3.9, 200.1],
  ].map(([from, to]) => ({ fromMs: startMs + from! * hourMs, toMs: startMs + to! * hourMs }));
  const ranges = [...hours, { fromMs: startMs + 50 * hourMs, toMs: null }, wholeTime];
  const read = () => Promise.all(ranges.map((range) => ledger.read(deployment.id, range)));
  const fromDeltas = await read();
  expect(fromDeltas.map(({ captured }) => captured)).toEqual([2, 2, 12, 8, 12, 56, 52, 68]);
  for (const { captured, received, candidates, balanced } of fromDeltas) {
    expect({ received, pending: candidates.int8!.pending, balanced }).toEqual({
      ...{ received: 2 * captured, pending: captured, balanced: true },
    });
  }
  expect(await rollups.compact()).toBeGreaterThan(0);
  expect(await read()).toEqual(fromDeltas);
  for (const _turn of [1, 2]) await rollups.dropFine({ minuteDays: 1, hourDays: 400 });
  expect(
    (await world.prisma.ledgerRollup.groupBy({ by: ["level"] })).map(({ level }) => level).sort(),
  ).toEqual([...["day", "ever", "four_hours", "hour", "week"]]);
  // Those that begin and end with an hour; the others are widened.
  const whole = [0, 3, 4, 6, 7];
  const later = await read();
  expect(whole.map((i) => later[i])).toEqual(whole.map((i) => fromDeltas[i]));
  expect(later[1]!.captured).toBe(4);
});

test("work that is missing is missed", async () => {
  const world = await openWorldForTest();
  const { deployment } = await addShadow(world);
  const { catalogue, ledger } = world.store;
  const { workIds } = await catalogue.commitSegment(segmentCommit(deployment.id, [captureRow(0)]));
  expect(await ledger.read(deployment.id, wholeTime)).toMatchObject({ captured: 1, balanced: true });
  await world.prisma.work.delete({ where: { id: workIds[0]! } });
  expect(await ledger.read(deployment.id, wholeTime)).toMatchObject({ captured: 1, balanced: false });
});

describe("a planted miscount unbalances the ledger", () => {
  let world: World;
  let deploymentId: number;

  /** Two segments done and folded, one done, one dead, two pending; late comes a second candidate. */
  beforeAll(async () => {
    world = await openWorld();
    const { deployment } = await addShadow(world);
    deploymentId = deployment.id;
    const { store } = world;
    const captures = (ms: number) =>
      [0, 1, 2].map((row) => captureRow(row, { receivedAtMs: noonMs + ms + row }));
    const outcomesOf = (rows: CaptureRow[]) =>
      rows.map((capture, i) =>
        i === 0
          ? outcomeRow(capture, { disposition: "candidate_error", reason: "timeout" })
          : outcomeRow(capture),
      );
    for (const ms of [0, minuteMs]) {
      const rows = captures(ms);
      await commitRows(world, deploymentId, rows, outcomesOf(rows));
    }
    await store.rollups.compact();
    await store.registry.addCandidate(deployment.name, newCandidate({ name: "late" }));
    const rows = captures(0);
    await commitRows(world, deploymentId, rows, outcomesOf(rows));
    const { work } = await leaseSegment(world, deploymentId, captures(0));
    await store.work.markDead(work.id, work.lease, "dead");
    await store.catalogue.commitSegment(segmentCommit(deploymentId, captures(minuteMs)));
    await store.catalogue.commitSegment(segmentCommit(deploymentId, captures(minuteMs)));
  });

  afterAll(() => world.close());

  const before = {
    received: 36,
    sampledOut: 18,
    captured: 18,
    candidates: {
      int8: { compared: 6, candidateError: { timeout: 3 }, dead: 3, pending: 6, notReplayed: {} },
      late: { compared: 0, dead: 0, pending: 12, notReplayed: { not_assigned: 6 } },
    },
    balanced: true,
  };

  const one = (table: string, key: string, where = "TRUE") =>
    `${key} IN (SELECT ${key} FROM ${table} WHERE ${where} LIMIT 1)`;
  const work = (where: string) => one("work", "id", where);

  test.each<[string, string]>([
    ["received counted once too often", "UPDATE ledger_counts SET received = received + 1"],
    ["received counted once too little", "UPDATE ledger_counts SET received = received - 1"],
    ["sampledOut", "UPDATE ledger_counts SET sampled_out = sampled_out + 1"],
    ["inFlight", "UPDATE ledger_counts SET in_flight = in_flight + 1"],
    ["buffered", "UPDATE ledger_counts SET buffered = buffered + 1"],
    ["lost", "UPDATE ledger_counts SET lost = lost + 1"],
    ["dropped", `UPDATE ledger_counts SET dropped = '{"buffer_full": 1}'`],
    ["notEligible", `UPDATE ledger_counts SET not_eligible = '{"parse": 1}'`],
    ["a minute of a gateway gone", `DELETE FROM ledger_deltas WHERE ${one("ledger_deltas", "id")}`],
    ["the account of all time gone", "DELETE FROM ledger_rollups WHERE level = 'ever'"],
    ["its count raised", "UPDATE ledger_rollups SET counts[1] = counts[1] + 1"],
    [
      "captures of a segment gone",
      `DELETE FROM ledger_deltas WHERE ${one("ledger_deltas", "id", "labels[1] LIKE 'assigned:%'")}`,
    ],
    [
      "captures of a segment raised",
      `UPDATE ledger_deltas SET counts[array_length(labels, 1)] = 5 WHERE labels[1] LIKE 'assigned:%'`,
    ],
    [
      "captures catalogued before a run as if since",
      `UPDATE ledger_rollups SET labels = array_replace(labels, 'captured:' || (SELECT min(id) FROM runs), 'captured:999')`,
    ],
    [
      "captures assigned to a run raised",
      `UPDATE ledger_deltas SET counts[1] = counts[1] + 1 WHERE labels[1] LIKE 'assigned:%'`,
    ],
    ["a pending work gone", `DELETE FROM work WHERE ${work("state = 'pending'")}`],
    ["a pending work taken for done", `UPDATE work SET state = 'done' WHERE ${work("state = 'pending'")}`],
    [
      "a work that is done to be done again",
      `UPDATE work SET state = 'pending' WHERE ${work("state = 'done'")}`,
    ],
    ["a pending work with a row less", `UPDATE work SET rows = 2 WHERE ${work("state = 'pending'")}`],
    [
      "work for the same rows twice",
      `INSERT INTO work (segment_id, run_id, first_row, rows)
       SELECT segment_id, run_id, 1, 1 FROM work WHERE ${work("state = 'pending'")}`,
    ],
    [
      "work for a run that a segment was never assigned to",
      `INSERT INTO work (segment_id, run_id, first_row, rows)
       SELECT segment_id, (SELECT max(id) FROM runs), 0, rows FROM work ORDER BY id LIMIT 1`,
    ],
    ["a rollup gone", "DELETE FROM rollups WHERE series = 'dispositions' AND level = 'ever'"],
    ["a rollup's count raised", "UPDATE rollups SET counts[1] = counts[1] + 1 WHERE series = 'dispositions'"],
    ["a rollup's label unknown", "UPDATE rollups SET labels[1] = 'other' WHERE series = 'dispositions'"],
    ["a delta gone", "DELETE FROM rollup_deltas WHERE series = 'dispositions'"],
    [
      "a delta twice",
      `INSERT INTO rollup_deltas (run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
       SELECT run_id, captured_minute, judged_minute, primary_version, series, labels, counts
       FROM rollup_deltas WHERE series = 'dispositions'`,
    ],
    [
      "captures of a pending work gone",
      `DELETE FROM segment_counts WHERE segment_id IN
       (SELECT segment_id FROM work WHERE state = 'pending' AND run_id = (SELECT min(run_id) FROM work))`,
    ],
  ])("%s", async (_what, statement) => {
    const rolledBack = new Error("rolled back");
    const planted = world.prisma.$transaction(async (tx) => {
      const ledger = createLedgerReader(tx);
      expect(await ledger.read(deploymentId, wholeTime)).toMatchObject(before);
      expect(await tx.$executeRawUnsafe(statement)).toBeGreaterThan(0);
      expect((await ledger.read(deploymentId, wholeTime)).balanced).toBe(false);
      throw rolledBack;
    });
    await expect(planted).rejects.toBe(rolledBack);
  });
});

test("it balances at every read, while segments go in, works end, runs change and deltas are folded", async () => {
  const world = await openWorld();
  const reading = createStore(world.url, { poolMax: 1 });
  const { deployment } = await addShadow(world);
  const { store } = world;
  const segments = 60;
  let shipped = 0;
  let stopped = false;
  const shipper = async () => {
    while (shipped < segments) {
      shipped++;
      const captures = [0, 1, 2].map((row) => captureRow(row, { receivedAtMs: noonMs + row * 30_000 }));
      await store.catalogue.commitSegment(segmentCommit(deployment.id, captures));
    }
  };
  const worker = async (name: string) => {
    for (;;) {
      const open = await world.prisma.work.findMany({ where: { state: "pending" }, take: 10 });
      if (open.length === 0 && stopped) return;
      for (const { id, segmentId } of open) {
        const leased = await store.work.lease(id, name, 60_000);
        if (!leased) continue;
        const captures = await world.prisma.capture.findMany({ where: { segmentId } });
        const rows = captures.map((capture) =>
          outcomeRow(captureRow(capture.row, { id: capture.id, receivedAtMs: capture.receivedAt.getTime() })),
        );
        await store.outcomes.commitWork({ workId: id, lease: leased.lease, judgedAtMs: noonMs, rows });
      }
    }
  };
  const operator = async () => {
    for (let i = 0; !stopped; i++) {
      await store.registry.addCandidate(
        deployment.name,
        newCandidate({ name: `c${i % 3}`, sha256: String(i) }),
      );
      if (i % 4 === 0) await store.registry.setPolicy(deployment.name, { version: i });
      await store.rollups.compact();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  let reads = 0;
  const reader = async () => {
    while (!stopped) {
      const ledger = await reading.ledger.read(deployment.id, wholeTime);
      expect(ledger, JSON.stringify(ledger)).toMatchObject({ balanced: true });
      reads++;
    }
  };
  try {
    await Promise.all([
      Promise.all([shipper(), shipper(), shipper()]).finally(() => {
        stopped = true;
      }),
      worker("a"),
      worker("b"),
      operator(),
      reader(),
    ]);
    expect(reads).toBeGreaterThan(5);
    const end = await reading.ledger.read(deployment.id, wholeTime);
    expect(end).toMatchObject({ captured: 180, received: 360, balanced: true });
    for (const terms of Object.values(end.candidates)) expect(terms.pending).toBe(0);
  } finally {
    await reading.close();
    await world.close();
  }
});
