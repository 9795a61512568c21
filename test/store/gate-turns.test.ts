import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stepSelectionGate } from "../../src/gate/selection-gate.js";
import { addShadow, captureRow, leaseSegment, openWorld, type World } from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

test("a gate over a live run whose judge died ends; a young one does not", async () => {
  const { deployment, candidate } = await addShadow(world);
  const { gates } = world.store;
  const { id: candidateId, liveRunId: runId } = candidate;
  const begin = (author: string) =>
    gates.create({ deploymentId: deployment.id, candidateId, runId, author, request: {} });
  const [old, young] = [await begin("old"), await begin("young")];
  await world.prisma
    .$executeRaw`UPDATE gates SET created_at = now() - interval '11 minutes' WHERE id = ${old}`;
  await gates.endAbandoned(600_000);
  expect(await gates.get(old)).toMatchObject({ state: "failed", verdict: null });
  expect((await gates.get(old)).error).toMatch(/Start another gate/);
  expect(await gates.get(young)).toMatchObject({ state: "running", error: null });
});

/** A sealed selection of a few captures, and a replay of it that a gate began. */
async function addGateReplay() {
  const { deployment, candidate } = await addShadow(world);
  const captures = Array.from({ length: 10 }, (_, i) => captureRow(i));
  const { work } = await leaseSegment(world, deployment.id, captures);
  await world.store.work.release(work.id, work.lease);
  const { name } = deployment;
  const selection = await world.store.selections.create({
    deployment: name,
    name: "all",
    filter: {},
    seal: true,
  });
  const { runId } = await world.store.replays.open({
    deployment: name,
    target: { kind: "candidate", name: candidate.name },
    selection: selection.name,
    filter: {},
    speed: null,
    concurrency: 8,
    ratePerSecond: null,
    onFailure: "skip",
    forGate: true,
  });
  const about = { candidateId: candidate.id, selectionId: selection.id };
  const begin = () =>
    world.store.gates.create({ deploymentId: deployment.id, runId, author: "ada", request: {}, ...about });
  return { runId, begin, about };
}

describe("a replay that a gate began", () => {
  const state = (runId: number) => world.store.replays.state(runId);
  /** Whether the conductor would queue any of its works. */
  async function goesOn(runId: number): Promise<boolean> {
    const queued = await world.store.replays.conduct();
    const works = await world.prisma.work.findMany({ where: { runId, id: { in: queued } } });
    await world.prisma.work.updateMany({ where: { runId }, data: { enqueuedAt: null } });
    return works.length > 0;
  }

  test("goes on as long as there is a gate that needs more, whoever died when that one began", async () => {
    const { runId, begin } = await addGateReplay();
    expect([await state(runId), await goesOn(runId)]).toEqual(["paused", false]);
    // All that a control plane wrote that dies right after; a worker takes the next step.
    const gate = await begin();
    expect(await goesOn(runId)).toBe(false);
    await stepSelectionGate(world, gate);
    expect([await goesOn(runId), await state(runId)]).toEqual([true, "running"]);
    await world.store.gates.giveUp(gate, "cancelled", "enough");
    expect([await state(runId), await goesOn(runId)]).toEqual(["paused", false]);
    await stepSelectionGate(world, await begin());
    expect(await goesOn(runId)).toBe(true);
  });

  test("that a person paused stays so, whatever gates begin; it is they who go on", async () => {
    const { runId, begin, about } = await addGateReplay();
    const gate = await begin();
    await stepSelectionGate(world, gate);
    await world.store.replays.pause(runId);
    await stepSelectionGate(world, await begin());
    expect([await state(runId), await goesOn(runId)]).toEqual(["paused", false]);
    expect(await world.store.gates.reusable(about)).toBe(runId);
    await world.store.replays.resume(runId);
    expect(await goesOn(runId)).toBe(true);
    expect((await world.store.gates.get(gate)).state).toBe("running");
  });

  test("goes on to its end when a person wants that, without any gate", async () => {
    const { runId } = await addGateReplay();
    await world.store.replays.resume(runId);
    expect([await goesOn(runId), await state(runId)]).toEqual([true, "running"]);
  });
});

test("results that a policy ignored until a moment that is over are not used again", async () => {
  const { about, runId } = await addGateReplay();
  expect(await world.store.gates.reusable(about)).toBe(runId);
  const { policyId } = await world.prisma.run.findUniqueOrThrow({ where: { id: runId } });
  const hourMs = 3_600_000;
  const ignoreUntil = (agoMs: number) => {
    const until = new Date(Date.now() - agoMs).toISOString();
    const body = { outputs: { y: { rule: "exact", ignore: { reason: "known", until } } } };
    return world.prisma.policy.update({ where: { id: policyId }, data: { body } });
  };
  await world.prisma
    .$executeRaw`UPDATE replays SET created_at = now() - interval '2 hours' WHERE run_id = ${runId}`;
  await world.prisma
    .$executeRaw`UPDATE selections SET sealed_at = now() - interval '3 hours' WHERE id = ${about.selectionId}`;
  await ignoreUntil(-hourMs);
  expect(await world.store.gates.reusable(about)).toBe(runId);
  await ignoreUntil(hourMs);
  expect(await world.store.gates.reusable(about)).toBe(null);
  await ignoreUntil(4 * hourMs);
  expect(await world.store.gates.reusable(about)).toBe(runId);
});
