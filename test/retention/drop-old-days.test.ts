import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { answersKey } from "../../src/answers/keeper.js";
import { createFileStore } from "../../src/blobs/file-store.js";
import { bodyKeyOf } from "../../src/capture/bodies.js";
import { dayMs, dayOf, newId } from "../../src/ids.js";
import { dropOldDays } from "../../src/retention/drop-old-days.js";
import { ensurePartitions } from "../../src/store/partitions.js";
import { createStore, type Store } from "../../src/store/store.js";
import {
  addShadow,
  captureRow,
  openWorldForTest,
  outcomeRow,
  segmentCommit,
  type World,
  wholeTime,
} from "../store/support.js";

const oldDay = "2020-01-10";
const nextDay = "2020-01-11";
const atMs = (day: string, minute: number) => Date.parse(`${day}T12:00:00Z`) + minute * 60_000;
const endOfDayMs = Date.parse(oldDay) + dayMs;
const hourMs = 3_600_000;
const days = 14;
const log = pino({ level: "silent" });

/** A world whose database tells the time that the test says. */
async function openClockedWorld() {
  const world = await openWorldForTest();
  const folder = await mkdtemp(join(tmpdir(), "understudy-retention-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const day of [oldDay, nextDay]) {
    await ensurePartitions(world.prisma, { daysAhead: 0, nowMs: Date.parse(day) + dayMs });
  }
  await world.prisma.$executeRawUnsafe("CREATE SCHEMA clock");
  await world.prisma.$executeRawUnsafe("CREATE TABLE clock.told (at TIMESTAMPTZ)");
  await world.prisma.$executeRawUnsafe("INSERT INTO clock.told VALUES (pg_catalog.now())");
  await world.prisma.$executeRawUnsafe(
    "CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM clock.told'",
  );
  const name = new URL(world.url).pathname.slice(1);
  await world.prisma.$executeRawUnsafe(
    `ALTER DATABASE "${name}" SET search_path = clock, public, pg_catalog`,
  );
  // Connections that are opened from now on.
  const store = createStore(world.url, { poolMax: 2 });
  onTestFinished(() => store.close());
  return {
    ...world,
    store,
    folder,
    blobs: createFileStore(folder),
    tell: (nowMs: number) =>
      world.prisma.$executeRaw`UPDATE clock.told SET at = ${new Date(nowMs).toISOString()}::timestamptz`,
  };
}

type ClockedWorld = Awaited<ReturnType<typeof openClockedWorld>>;

/** A segment of three captures with its blobs; judged, or with its work still open. */
async function addSegment(world: ClockedWorld, deploymentId: number, day: string, judged: boolean) {
  const { store, blobs } = world;
  const captures = [0, 1, 2].map((row) =>
    captureRow(row, { receivedAtMs: atMs(day, row % 2), id: newId(atMs(day, row % 2)) }),
  );
  const commit = segmentCommit(deploymentId, captures);
  const body = { sha256: newId(), bytes: 3, refs: 1 };
  await blobs.put(commit.segment.blobKey, Buffer.from("segment"));
  await blobs.put(bodyKeyOf(deploymentId, day, body.sha256), Buffer.from("body"));
  const { workIds } = await store.catalogue.commitSegment({ ...commit, bodies: [body] });
  const workId = workIds[0]!;
  const key = answersKey({ deploymentId, day, workId, lease: 1 });
  await blobs.put(key, Buffer.from("answers"));
  const { lease } = (await store.work.lease(workId, "test", 60_000))!;
  if (judged) {
    const answers = { key, sha256: "00", bytes: 7, count: 3 };
    const rows = captures.map((capture) => outcomeRow(capture));
    await store.outcomes.commitWork({ workId, lease, judgedAtMs: atMs(day, 5), rows, answers });
  }
  return { captures, workId, lease, segmentId: commit.segment.id };
}

async function rowsOf({ prisma }: Pick<World, "prisma">, day: string) {
  const where = { day: new Date(day) };
  return {
    captures: await prisma.capture.count({ where }),
    outcomes: await prisma.outcome.count({ where }),
    diffs: await prisma.outputDiff.count({ where }),
    segments: await prisma.segment.count({ where }),
    bodies: await prisma.body.count({ where }),
  };
}

const nothing = { captures: 0, outcomes: 0, diffs: 0, segments: 0, bodies: 0 };
const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
const partitionsOf = async ({ prisma }: Pick<World, "prisma">, day: string) =>
  (
    await prisma.$queryRaw<{ n: number }[]>`
      SELECT count(*)::int AS n FROM pg_class WHERE relkind = 'r' AND relname LIKE ${`%_${day.replaceAll("-", "")}`}`
  )[0]!.n;

const drop = (world: ClockedWorld) => dropOldDays({ store: world.store, blobs: world.blobs, log }, days);
const read = ({ store }: { store: Store }, deploymentId: number) =>
  store.ledger.read(deploymentId, wholeTime);

test("an old day goes with its rows, partitions and blobs; the account stays and balances", async () => {
  const world = await openClockedWorld();
  const { deployment } = await addShadow(world);
  await addSegment(world, deployment.id, oldDay, true);
  const open = await addSegment(world, deployment.id, oldDay, false);
  await addSegment(world, deployment.id, nextDay, true);
  const before = await read(world, deployment.id);
  expect(before).toMatchObject({
    captured: 9,
    balanced: true,
    candidates: { int8: { compared: 6, pending: 3 } },
  });
  expect([await partitionsOf(world, oldDay), await filesIn(world.folder)]).toEqual([3, 9]);

  await world.tell(endOfDayMs + days * dayMs + 2 * hourMs);
  expect(await drop(world)).toContain(oldDay);

  expect(await rowsOf(world, oldDay)).toEqual(nothing);
  expect(await rowsOf(world, nextDay)).toEqual({
    captures: 3,
    outcomes: 3,
    diffs: 3,
    segments: 1,
    bodies: 1,
  });
  expect([await partitionsOf(world, oldDay), await partitionsOf(world, nextDay)]).toEqual([0, 3]);
  expect(await filesIn(world.folder)).toBe(3);
  const after = await read(world, deployment.id);
  const { int8 } = before.candidates;
  expect(after).toEqual({ ...before, candidates: { int8: { ...int8, pending: 0, expired: 3 } } });
  // By the minute, as before.
  const minute = { fromMs: atMs(oldDay, 1), toMs: atMs(oldDay, 2) };
  expect(await world.store.ledger.read(deployment.id, minute)).toMatchObject({ captured: 2, balanced: true });
  expect(await world.store.retention.state(deployment.id)).toEqual({ droppedCaptures: 6, keptFrom: nextDay });

  // Whoever still has the open work in hand is too late.
  const rows = open.captures.map((capture) => outcomeRow(capture));
  const late = { workId: open.workId, lease: open.lease, judgedAtMs: atMs(oldDay, 9), rows };
  expect(await world.store.outcomes.commitWork(late)).toBe("lease_lost");
  expect(await drop(world)).toEqual([]);
  expect(await read(world, deployment.id)).toEqual(after);
});

test("a candidate that is registered later has had no work for what was dropped", async () => {
  const world = await openClockedWorld();
  const { deployment } = await addShadow(world);
  await addSegment(world, deployment.id, oldDay, true);
  await world.tell(endOfDayMs + days * dayMs + 2 * hourMs);
  await drop(world);
  const name = deployment.name;
  const endpoint = { url: "http://127.0.0.1:9", model: "late", version: null, headers: {} };
  await world.store.registry.addCandidate(name, { name: "late", endpoint, sha256: null, metadata: {} });
  expect(await read(world, deployment.id)).toMatchObject({
    balanced: true,
    candidates: { late: { compared: 0, notReplayed: { not_assigned: 3 } }, int8: { compared: 3 } },
  });
});

test.each([
  ["an hour before it is old enough", -hourMs, false],
  ["the same with the clock an hour ahead", 0, false],
  ["two hours after, less a second", 2 * hourMs - 1_000, false],
  ["two hours after", 2 * hourMs, true],
  ["the same with the clock an hour behind", hourMs, false],
])("a day %s", async (_, offsetMs, goes) => {
  const world = await openClockedWorld();
  const { deployment } = await addShadow(world);
  await addSegment(world, deployment.id, oldDay, true);
  await world.tell(endOfDayMs + days * dayMs + offsetMs);
  expect((await drop(world)).includes(oldDay)).toBe(goes);
  expect((await rowsOf(world, oldDay)).segments).toBe(goes ? 0 : 1);
});

test("a day that a selection refers to is kept whole", async () => {
  const world = await openClockedWorld();
  const { deployment } = await addShadow(world);
  const { captures, segmentId } = await addSegment(world, deployment.id, oldDay, true);
  const selection = await world.prisma.selection.create({
    data: { deploymentId: deployment.id, name: "golden", filter: {}, members: 1 },
  });
  await world.prisma.selectionMember.create({
    data: {
      selectionId: selection.id,
      position: 0,
      captureId: captures[0]!.id,
      day: new Date(oldDay),
      segmentId,
      row: 0,
    },
  });
  await world.tell(endOfDayMs + days * dayMs + 30 * dayMs);
  expect(await drop(world)).not.toContain(oldDay);
  expect(await filesIn(world.folder)).toBe(3);
  await world.prisma.selection.delete({ where: { id: selection.id } });
  expect(await drop(world)).toContain(oldDay);
  expect(await filesIn(world.folder)).toBe(0);
});

test("a day that is sealed when it was just found old is kept, with its blobs", async () => {
  const world = await openClockedWorld();
  const { deployment } = await addShadow(world);
  await addSegment(world, deployment.id, oldDay, true);
  await world.tell(endOfDayMs + 30 * dayMs);
  const { retention, selections } = world.store;
  const sealedMeanwhile = {
    ...retention,
    async due(keptDays: number) {
      const found = await retention.due(keptDays);
      await selections.create({ deployment: deployment.name, name: "late", filter: {}, seal: true });
      return found;
    },
  };
  const dropped = await dropOldDays({ store: { retention: sealedMeanwhile }, blobs: world.blobs, log }, days);
  expect(dropped).not.toContain(oldDay);
  expect(await filesIn(world.folder)).toBe(3);
  expect((await rowsOf(world, oldDay)).bodies).toBe(1);
});

test("captures that a skewed clock put outside of all partitions go as well", async () => {
  const world = await openClockedWorld();
  const { deployment } = await addShadow(world);
  const skewedDay = dayOf(Date.parse("2019-06-01"));
  await addSegment(world, deployment.id, skewedDay, true);
  expect(await partitionsOf(world, skewedDay)).toBe(0);
  await world.tell(endOfDayMs);
  expect(await drop(world)).toContain(skewedDay);
  expect(await rowsOf(world, skewedDay)).toEqual(nothing);
});
