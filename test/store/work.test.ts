import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { noRedaction } from "../../src/redaction/settings.js";
import { flowSchema } from "../../src/replay/flow.js";
import {
  addShadow,
  captureRow,
  endpoint,
  leaseSegment,
  newCandidate,
  newDeployment,
  openWorld,
  openWorldForTest,
  outcomeRow,
  segmentCommit,
  type World,
  wholeTime,
} from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** Lets the lease of a work run out, as if its worker had stopped long ago. */
async function expire({ prisma }: World, workId: bigint): Promise<void> {
  await prisma.$executeRaw`UPDATE work SET lease_until = now() - interval '1 second' WHERE id = ${workId}`;
}

const stateOf = ({ prisma }: World, id: bigint) => prisma.work.findUniqueOrThrow({ where: { id } });

test("a leased work tells all that is needed to do it", async () => {
  const { registry, catalogue, work } = world.store;
  const control = endpoint({ url: "http://127.0.0.1:9001", headers: { authorization: "key" } });
  const deployment = await registry.createDeployment(newDeployment({ name: "told", control }));
  const given = newCandidate({ sha256: "ab", endpoint: endpoint({ model: "int8", version: "2" }) });
  const candidate = await registry.addCandidate("told", given);
  const commit = segmentCommit(deployment.id, [captureRow(0), captureRow(1)]);
  const { workIds } = await catalogue.commitSegment(commit);
  await registry.setPolicy("told", { later: true });
  expect(await work.lease(workIds[0]!, "worker-1", 60_000)).toEqual({
    rowList: null,
    erasedRows: [],
    replay: null,
    id: workIds[0],
    lease: 1,
    stalls: 0,
    suspect: false,
    backfill: false,
    runId: candidate.liveRunId,
    runKind: "live",
    deploymentId: deployment.id,
    deploymentName: "told",
    candidateId: candidate.id,
    candidateName: "int8",
    modelVersionId: expect.any(Number),
    flow: flowSchema.parse({}),
    endpoint: given.endpoint,
    sha256: "ab",
    control,
    policy: deployment.policy.body,
    keepAnswers: "all",
    keepMatchDetails: 1,
    redaction: noRedaction,
    answersBytesPerDay: 2 * 1024 ** 3,
    source: null,
    segment: {
      id: commit.segment.id,
      blobKey: commit.segment.blobKey,
      sha256: "00",
      deploymentId: deployment.id,
      day: "2026-11-20",
    },
    firstRow: 0,
    rows: 2,
  });
});

test("one of many takes a work up; the others get nothing", async () => {
  const { deployment } = await addShadow(world);
  const { workIds } = await world.store.catalogue.commitSegment(
    segmentCommit(deployment.id, [captureRow(0)]),
  );
  const leases = await Promise.all(
    Array.from({ length: 8 }, (_, i) => world.store.work.lease(workIds[0]!, `worker-${i}`, 60_000)),
  );
  expect(leases.filter((lease) => lease !== null)).toMatchObject([{ lease: 1 }]);
  expect(await world.store.work.lease(999_999_999n, "worker", 60_000)).toBeNull();
});

test("a lease that ran out is taken over, and the one before is worth nothing", async () => {
  const { deployment } = await addShadow(world);
  const { work } = world.store;
  const { work: first } = await leaseSegment(world, deployment.id, [captureRow(0)]);
  expect(await work.extend(first.id, first.lease, 60_000)).toBe(true);
  await expire(world, first.id);
  const second = (await work.lease(first.id, "another", 60_000))!;
  expect(second).toMatchObject({ lease: 2, stalls: 1 });
  const before = await stateOf(world, first.id);
  expect(await work.extend(first.id, first.lease, 60_000)).toBe(false);
  expect(await work.release(first.id, first.lease)).toBe(false);
  expect(await work.markDead(first.id, first.lease, "stale")).toBe(false);
  expect(await stateOf(world, first.id)).toEqual(before);
  expect(await work.extend(second.id, second.lease, 60_000)).toBe(true);
});

test("work handed back can be taken up at once; that is no stall", async () => {
  const { deployment } = await addShadow(world);
  const { work } = world.store;
  const { work: leased } = await leaseSegment(world, deployment.id, [captureRow(0)]);
  expect(await work.release(leased.id, leased.lease)).toBe(true);
  expect(await stateOf(world, leased.id)).toMatchObject({
    state: "pending",
    enqueuedAt: null,
    leasedBy: null,
  });
  expect(await work.lease(leased.id, "another", 60_000)).toMatchObject({ lease: 2, stalls: 0 });
});

test("a dead work ends those of its captures that have no outcome, and only them", async () => {
  const { deployment, candidate } = await addShadow(world);
  const { work, ledger, rollups } = world.store;
  const captures = [0, 1, 2, 3, 4].map((row) => captureRow(row));
  const { work: leased } = await leaseSegment(world, deployment.id, captures);
  // As after a split: this work keeps rows 1 to 3, the others stand in another.
  await world.prisma.work.update({ where: { id: leased.id }, data: { firstRow: 1, rows: 3 } });
  for (const [firstRow, rows] of [
    [0, 1],
    [4, 1],
  ] as const) {
    await world.prisma.work.create({
      data: { segmentId: leased.segment.id, runId: leased.runId, firstRow, rows },
    });
  }
  expect(await ledger.read(deployment.id, wholeTime)).toMatchObject({
    candidates: { int8: { pending: 5 } },
    balanced: true,
  });

  expect(await work.markDead(leased.id, leased.lease, "stalled \0 3 times")).toBe(true);
  expect(await stateOf(world, leased.id)).toMatchObject({ state: "dead", error: "stalled \ufffd 3 times" });
  const outcomes = await world.prisma.outcome.findMany({
    where: { runId: candidate.liveRunId },
    orderBy: { capturedAt: "asc" },
  });
  expect(outcomes.map(({ captureId, disposition }) => [captureId, disposition])).toEqual(
    captures.slice(1, 4).map(({ id }) => [id, "dead"]),
  );
  expect(await ledger.read(deployment.id, wholeTime)).toMatchObject({
    candidates: { int8: { dead: 3, pending: 2 } },
    balanced: true,
  });
  expect((await rollups.summary(candidate.liveRunId, wholeTime)).get("results")).toBeUndefined();
  expect(await work.markDead(leased.id, leased.lease, "again")).toBe(false);
  expect(await work.lease(leased.id, "another", 60_000)).toBeNull();
});

test("what the reconciler puts into the queue again", async () => {
  const own = await openWorldForTest();
  const { deployment } = await addShadow(own);
  const { work, catalogue, outcomes } = own.store;
  const add = async (enqueuedAt: Date | null) => {
    const { workIds } = await catalogue.commitSegment(segmentCommit(deployment.id, [captureRow(0)]));
    await own.prisma.work.update({ where: { id: workIds[0]! }, data: { enqueuedAt } });
    return workIds[0]!;
  };
  const lease = async (id: bigint) => (await work.lease(id, "worker", 60_000))!;
  const longAgo = new Date(Date.now() - 3_600_000);
  const justNow = new Date(Date.now() - 2_000);

  const never = await add(null);
  const old = await add(longAgo);
  const fresh = await add(justNow);
  const inHand = await add(longAgo);
  await lease(inHand);
  const ranOut = await add(justNow);
  await lease(ranOut);
  await expire(own, ranOut);
  // As a part of a split, whose worker went on with it at once, and died over it.
  const pastTheQueue = await add(null);
  await work.lease(pastTheQueue, "worker", 1);
  await sleep(10);
  const done = await add(longAgo);
  const { lease: token } = await lease(done);
  await outcomes.commitWork({ workId: done, lease: token, judgedAtMs: Date.now(), rows: [] });
  const dead = await add(longAgo);
  await work.markDead(dead, (await lease(dead)).lease, "dead");

  const due = await work.dueForQueue({ limit: 100, olderThanMs: 60_000, kind: "live" });
  expect(due).toEqual([never, old, ranOut, pastTheQueue]);
  expect(await work.dueForQueue({ limit: 100, olderThanMs: 60_000, kind: "live" })).toEqual([]);
  expect(await work.lease(fresh, "worker", 60_000)).not.toBeNull();
});

test("two reconcilers at a time get different works, each at most its limit", async () => {
  const own = await openWorldForTest();
  const { deployment } = await addShadow(own);
  for (let i = 0; i < 20; i++) {
    await own.store.catalogue.commitSegment(segmentCommit(deployment.id, [captureRow(0)]));
  }
  await own.prisma.work.updateMany({ data: { enqueuedAt: null } });
  const due = await Promise.all(
    [1, 2, 3, 4].map(() => own.store.work.dueForQueue({ limit: 5, olderThanMs: 60_000, kind: "live" })),
  );
  const rest = await own.store.work.dueForQueue({ limit: 100, olderThanMs: 60_000, kind: "live" });
  expect(Math.max(...due.map((ids) => ids.length))).toBe(5);
  const all = [...due.flat(), ...rest];
  expect(all).toHaveLength(20);
  expect(new Set(all).size).toBe(20);
});

test("what waits beside a work is of its live run", async () => {
  const { deployment } = await addShadow(world);
  await addShadow(world);
  const { work } = await leaseSegment(world, deployment.id, [captureRow(0)]);
  expect(await world.store.work.waitingBeside(work.id)).toBeNull();
  const { workIds } = await world.store.catalogue.commitSegment(
    segmentCommit(deployment.id, [captureRow(1)]),
  );
  expect(await world.store.work.waitingBeside(work.id)).toBe(workIds[0]);
  await world.prisma.run.update({ where: { id: work.runId }, data: { kind: "history" } });
  expect(await world.store.work.waitingBeside(work.id)).toBeNull();
});

test("a work that is done stays done", async () => {
  const { deployment } = await addShadow(world);
  const captures = [captureRow(0)];
  const { work } = await leaseSegment(world, deployment.id, captures);
  expect(await world.store.work.isOpen(work.id)).toBe(true);
  const rows = captures.map((capture) => outcomeRow(capture));
  await world.store.outcomes.commitWork({ workId: work.id, lease: work.lease, judgedAtMs: Date.now(), rows });
  expect(await world.store.work.isOpen(work.id)).toBe(false);
  expect(await world.store.work.lease(work.id, "another", 60_000)).toBeNull();
  expect(await world.store.work.release(work.id, work.lease)).toBe(false);
  expect(await world.store.work.markDead(work.id, work.lease, "late")).toBe(false);
});
