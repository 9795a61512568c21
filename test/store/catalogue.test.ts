import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { minuteOf, newId } from "../../src/ids.js";
import { createStore } from "../../src/store/store.js";
import { openSeverable } from "./severed.js";
import {
  addShadow,
  captureRow,
  ledgerMinute,
  newCandidate,
  newDeployment,
  noonMs,
  openWorld,
  segmentCommit,
  type World,
  wholeTime,
} from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** All that one segment left behind. */
async function traceOf(segmentId: string) {
  const where = { segmentId };
  return {
    segments: await world.prisma.segment.count({ where: { id: segmentId } }),
    captures: await world.prisma.capture.count({ where }),
    counts: await world.prisma.segmentCount.findMany({ where, orderBy: { minute: "asc" } }),
    works: await world.prisma.work.findMany({ where, orderBy: { id: "asc" } }),
  };
}

test("a segment goes in with its captures, their counts by minute, and work for every open live run", async () => {
  const { deployment, candidate } = await addShadow(world);
  const { registry, catalogue } = world.store;
  const other = await registry.addCandidate(deployment.name, newCandidate({ name: "other" }));
  const revised = await registry.addCandidate(deployment.name, newCandidate({ sha256: "ab" }));
  const captures = [0, 59_999, 60_000, 60_001].map((ms, row) =>
    captureRow(row, {
      receivedAtMs: noonMs + ms,
      tags: { route: "a", "odd \0": "\0" },
      primaryVersion: "1\0",
    }),
  );
  const commit = segmentCommit(deployment.id, captures);
  const committed = await catalogue.commitSegment(commit);

  const trace = await traceOf(commit.segment.id);
  expect(trace.counts.map(({ minute, captures }) => [minute.getTime(), captures])).toEqual([
    [noonMs, 2],
    [noonMs + 60_000, 2],
  ]);
  expect(
    trace.works.map(({ id, runId, state, firstRow, rows }) => ({ id, runId, state, firstRow, rows })),
  ).toEqual(
    [other.liveRunId, revised.liveRunId].map((runId, i) => ({
      id: committed.workIds[i],
      runId,
      state: "pending",
      firstRow: 0,
      rows: 4,
    })),
  );
  expect(candidate.liveRunId).not.toBe(revised.liveRunId);
  expect(committed.alreadyThere).toBe(false);

  const stored = await world.prisma.capture.findMany({
    where: { segmentId: commit.segment.id },
    orderBy: { row: "asc" },
  });
  expect(stored).toMatchObject(
    captures.map(({ id, row, receivedAtMs, primaryMs }) => ({
      day: new Date("2026-11-20"),
      id,
      row,
      receivedAt: new Date(receivedAtMs),
      primaryMs,
      primaryVersion: "1\ufffd",
      tags: { route: "a", "odd \ufffd": "\ufffd" },
    })),
  );
});

test("what was redacted, whose it is, and bodies stored apart with their references", async () => {
  const { deployment } = await addShadow(world);
  const marks = { redacted: ['input:né"\\,{}', "header:x"], subject: "0123456789abcdef0123456789abcdef" };
  const body = (sha256: string, refs: number) => ({ sha256: sha256.repeat(64), bytes: 300_000, refs });
  const first = {
    ...segmentCommit(deployment.id, [captureRow(0, marks), captureRow(1)]),
    bodies: [body("a", 2)],
  };
  const second = {
    ...segmentCommit(deployment.id, [captureRow(2)]),
    bodies: [body("b", 1), body("a", 1)],
  };
  // Sent twice, it counts once.
  for (const commit of [first, first, second]) await world.store.catalogue.commitSegment(commit);
  const stored = await world.prisma.capture.findMany({
    where: { segmentId: first.segment.id },
    orderBy: { row: "asc" },
  });
  expect(stored).toMatchObject([marks, { redacted: [], subject: null }]);
  const where = { deploymentId: deployment.id };
  expect(await world.prisma.body.findMany({ where, orderBy: { sha256: "asc" } })).toMatchObject([
    { day: new Date("2026-11-20"), ...where, sha256: "a".repeat(64), bytes: 300_000n, refs: 3n },
    { day: new Date("2026-11-20"), ...where, sha256: "b".repeat(64), bytes: 300_000n, refs: 1n },
  ]);
});

test("segments with the same bodies, at once and in any order, wait for no one and count all", async () => {
  const { deployment } = await addShadow(world);
  const words = Array.from({ length: 20 }, (_, n) => n.toString(16).padStart(64, "0"));
  const commits = Array.from({ length: 8 }, (_, n) => ({
    ...segmentCommit(deployment.id, [captureRow(n)]),
    bodies: (n % 2 ? words : [...words].reverse()).map((sha256) => ({ sha256, bytes: 1, refs: 1 })),
  }));
  await Promise.all(commits.map((commit) => world.store.catalogue.commitSegment(commit)));
  const bodies = await world.prisma.body.findMany({ where: { deploymentId: deployment.id } });
  expect(bodies.map(({ refs }) => refs)).toEqual(words.map(() => 8n));
});

test("sent again, it changes nothing and gives the same work ids", async () => {
  const { deployment } = await addShadow(world);
  const commit = segmentCommit(deployment.id, [captureRow(0), captureRow(1)]);
  const first = await world.store.catalogue.commitSegment(commit);
  const before = await traceOf(commit.segment.id);
  const again = await world.store.catalogue.commitSegment(commit);
  expect(again).toEqual({
    workIds: first.workIds,
    toQueue: first.workIds,
    revivedBodies: [],
    alreadyThere: true,
  });
  expect(again.workIds).toHaveLength(1);
  expect(await traceOf(commit.segment.id)).toEqual(before);
});

test("sent many times at once, it goes in once, and every sender gets the work ids", async () => {
  const { deployment } = await addShadow(world);
  const commit = segmentCommit(
    deployment.id,
    Array.from({ length: 50 }, (_, row) => captureRow(row)),
  );
  const sent = await Promise.all(
    Array.from({ length: 8 }, () => world.store.catalogue.commitSegment(commit)),
  );
  expect(sent.filter((result) => !result.alreadyThere)).toHaveLength(1);
  const trace = await traceOf(commit.segment.id);
  expect(trace).toMatchObject({ segments: 1, captures: 50, counts: [{ captures: 50 }] });
  for (const { workIds } of sent) expect(workIds).toEqual(trace.works.map((work) => work.id));
});

test("a commit whose outcome stayed unknown is sent again, with a newer cut", async () => {
  const { deployment } = await addShadow(world);
  const way = await openSeverable(world.url);
  const store = createStore(way.url, { poolMax: 1 });
  onTestFinished(async () => {
    await store.close();
    await way.close();
  });
  await store.registry.listDeployments();
  const commit = segmentCommit(deployment.id, [captureRow(0), captureRow(1)]);
  way.sever();
  await expect(store.catalogue.commitSegment(commit)).rejects.toThrow();
  expect(way.severed()).toBe(1);

  const minute = ledgerMinute(deployment.id, noonMs, { received: 7, sampledOut: 5 });
  const newer = { ...commit, cut: { ...commit.cut, sequence: 2, counts: [minute] } };
  const again = await store.catalogue.commitSegment(newer);
  const { works } = await traceOf(commit.segment.id);
  expect(again).toMatchObject({ workIds: works.map((work) => work.id), alreadyThere: true });
  expect(works).toHaveLength(1);
  expect(await store.ledger.read(deployment.id, wholeTime)).toMatchObject({
    received: 7,
    captured: 2,
    balanced: true,
  });
});

test("a run that is opened while a segment goes in has work for it", async () => {
  const { deployment } = await addShadow(world);
  const commit = segmentCommit(deployment.id, [captureRow(0)]);
  let sent: ReturnType<typeof world.store.catalogue.commitSegment> | undefined;
  await world.prisma.$transaction(
    async (tx) => {
      await tx.$queryRaw`SELECT id FROM deployments WHERE id = ${deployment.id} FOR NO KEY UPDATE`;
      sent = world.store.catalogue.commitSegment(commit);
      await untilBlocked();
      await tx.run.updateMany({ where: { deploymentId: deployment.id }, data: { state: "closed" } });
      const policy = await tx.policy.findFirstOrThrow({ where: { deploymentId: deployment.id } });
      const candidate = await tx.candidate.findFirstOrThrow({ where: { deploymentId: deployment.id } });
      await tx.run.create({
        data: {
          kind: "live",
          deploymentId: deployment.id,
          candidateId: candidate.id,
          modelVersionId: candidate.modelVersionId,
          policyId: policy.id,
        },
      });
      await tx.deployment.update({ where: { id: deployment.id }, data: { revision: { increment: 1 } } });
    },
    { timeout: 20_000 },
  );
  const { workIds } = await sent!;
  const { works } = await traceOf(commit.segment.id);
  const run = await world.prisma.run.findFirstOrThrow({
    where: { deploymentId: deployment.id, state: "open" },
  });
  expect(works.map(({ id, runId }) => [id, runId])).toEqual([[workIds[0], run.id]]);
});

/** Until some statement waits for a lock. */
async function untilBlocked(): Promise<void> {
  for (;;) {
    const [row] = await world.prisma.$queryRaw<{ n: number }[]>`
      SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    if (row!.n > 0) return;
  }
}

test("without a deployment nothing goes in", async () => {
  const commit = segmentCommit(999_999, [captureRow(0)]);
  await expect(world.store.catalogue.commitSegment(commit)).rejects.toMatchObject({ code: "not_found" });
  expect(await traceOf(commit.segment.id)).toEqual({ segments: 0, captures: 0, counts: [], works: [] });
  expect(await world.prisma.gatewayEpoch.count({ where: { epoch: commit.cut.epoch } })).toBe(0);
});

test("a deployment without candidates has no work", async () => {
  const { id } = await world.store.registry.createDeployment(newDeployment({ name: "lonely" }));
  const commit = segmentCommit(id, [captureRow(0)]);
  expect(await world.store.catalogue.commitSegment(commit)).toEqual({
    workIds: [],
    toQueue: [],
    revivedBodies: [],
    alreadyThere: false,
  });
  expect(await world.store.catalogue.commitSegment(commit)).toEqual({
    workIds: [],
    toQueue: [],
    revivedBodies: [],
    alreadyThere: true,
  });
});

test("an older cut never overwrites a newer one; other epochs add up", async () => {
  const { deployment } = await addShadow(world);
  const { catalogue, ledger } = world.store;
  const cut = segmentCommit(deployment.id, [captureRow(0)]).cut;
  const send = (epoch: string, sequence: number, received: number) =>
    catalogue.shipCut({
      ...cut,
      epoch,
      sequence,
      counts: [
        ledgerMinute(deployment.id, minuteOf(noonMs), {
          received,
          notEligible: { parse: received - 1 },
          dropped: { buffer_full: 1 },
        }),
      ],
    });
  const [a, b] = [newId(), newId()];
  await send(a, 3, 30);
  await send(a, 2, 20);
  await send(b, 1, 100);
  expect(await world.prisma.gatewayEpoch.findUnique({ where: { epoch: a } })).toMatchObject({ sequence: 3n });
  expect(await ledger.read(deployment.id, wholeTime)).toMatchObject({
    received: 130,
    notEligible: { parse: 128 },
    dropped: { buffer_full: 2 },
    balanced: true,
  });
  await send(a, 4, 40);
  expect(await ledger.read(deployment.id, wholeTime)).toMatchObject({ received: 140, balanced: true });
  expect(await world.prisma.gatewayEpoch.findUnique({ where: { epoch: a } })).toMatchObject({ sequence: 4n });
});

test("a cut of nothing new is taken over", async () => {
  const cut = { ...segmentCommit(1, [captureRow(0)]).cut, counts: [], state: "closed" as const };
  await world.store.catalogue.shipCut(cut);
  expect(await world.prisma.gatewayEpoch.findUnique({ where: { epoch: cut.epoch } })).toMatchObject({
    state: "closed",
    gateway: "test",
  });
});
