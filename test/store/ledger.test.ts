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

/** As if the clock of Postgres had stepped back an hour: all that is written carries times yet to come. */
async function stepClockBack({ prisma }: World) {
  await prisma.$executeRaw`UPDATE runs SET opened_at = opened_at + interval '1 hour'`;
  await prisma.$executeRaw`UPDATE segments SET created_at = created_at + interval '1 hour'`;
}

test("a run that is opened after the clock stepped back is opened after all segments there are", async () => {
  const world = await openWorldForTest();
  const { deployment, candidate } = await addShadow(world);
  const { registry, catalogue, ledger } = world.store;
  await catalogue.commitSegment(segmentCommit(deployment.id, [captureRow(0)]));
  await stepClockBack(world);
  await catalogue.commitSegment(segmentCommit(deployment.id, [captureRow(0)]));
  const revised = await registry.addCandidate(deployment.name, newCandidate({ sha256: "another" }));
  expect(revised.liveRunId).not.toBe(candidate.liveRunId);
  await catalogue.commitSegment(segmentCommit(deployment.id, [captureRow(0)]));
  expect(await ledger.read(deployment.id, wholeTime)).toMatchObject({
    candidates: { int8: { pending: 1, notReplayed: { not_assigned: 2 } } },
    balanced: true,
  });
});

test("work that is missing is missed although the clock stepped back", async () => {
  const world = await openWorldForTest();
  const { deployment } = await addShadow(world);
  const { catalogue, ledger } = world.store;
  await stepClockBack(world);
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
    ["a minute of a gateway gone", `DELETE FROM ledger_counts WHERE ${one("ledger_counts", "epoch")}`],
    ["a segment's minute gone", `DELETE FROM segment_counts WHERE ${one("segment_counts", "segment_id")}`],
    ["a segment's minute raised", "UPDATE segment_counts SET captures = captures + 1"],
    ["a pending work gone", `DELETE FROM work WHERE ${work("state = 'pending'")}`],
    ["a work that is done gone", `DELETE FROM work WHERE ${work("state = 'done'")}`],
    ["a work that is dead gone", `DELETE FROM work WHERE ${work("state = 'dead'")}`],
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
      `INSERT INTO work (segment_id, run_id, first_row, rows, state)
       SELECT segment_id, (SELECT max(id) FROM runs), 0, rows, 'done' FROM work ORDER BY id LIMIT 1`,
    ],
    ["a rollup gone", "DELETE FROM rollups WHERE series = 'dispositions' AND level = 'run'"],
    ["a rollup's count raised", "UPDATE rollups SET counts[1] = counts[1] + 1 WHERE series = 'dispositions'"],
    ["a rollup's label unknown", "UPDATE rollups SET labels[1] = 'other' WHERE series = 'dispositions'"],
    ["a delta gone", "DELETE FROM rollup_deltas WHERE series = 'dispositions'"],
    [
      "a delta twice",
      `INSERT INTO rollup_deltas (work_id, run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
       SELECT work_id, run_id, captured_minute, judged_minute, primary_version, series, labels, counts
       FROM rollup_deltas WHERE series = 'dispositions'`,
    ],
    [
      "captures of a pending work gone",
      `DELETE FROM captures WHERE segment_id IN
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
