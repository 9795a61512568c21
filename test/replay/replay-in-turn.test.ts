import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { replayInTurn } from "../../src/replay/replay-in-turn.js";
import type { ReplayEnd } from "../../src/replay/replay-work.js";
import { createTurns } from "../../src/replay/turns.js";
import {
  answer,
  capture,
  openReplayWorld,
  type Received,
  type ReplayWorld,
  startCandidate,
} from "./support.js";

const never = new AbortController().signal;

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

const agree = ({ x }: Received, response: ServerResponse) => void response.end(answer(x));

it("a candidate that hangs holds its share of a worker, and the other candidates go on", async () => {
  const gates: (() => void)[] = [];
  const hanging = await startCandidate(({ x }, response) => {
    gates.push(() => response.end(answer(x)));
  });
  const quick = await startCandidate(agree);
  const { deployment, candidates } = await world.addDeployment(hanging.url, quick.url);
  for (let x = 0; x < 4; x += 1) await world.addSegment(deployment.id, [capture(x)]);
  const worksOf = async (runId: number) =>
    (await world.prisma.work.findMany({ where: { runId } })).map(({ id }) => id);
  const slow = await worksOf(candidates[0]!.liveRunId);
  const fast = await worksOf(candidates[1]!.liveRunId);
  expect([slow.length, fast.length]).toEqual([4, 4]);

  const turns = createTurns(4);
  const enter = vi.spyOn(turns, "enter");
  const deps = world.worker({ turns, replayTimeoutMs: 60_000 });
  const ends: ReplayEnd[] = [];
  const take = (id: bigint) => replayInTurn(deps, id, never, (end) => ends.push(end));
  const inHand = [take(slow[0]!), take(slow[1]!)];
  await vi.waitFor(() => expect(hanging.received.length).toBe(1), { timeout: 30_000 });
  await vi.waitFor(() => expect(enter).toHaveBeenCalledTimes(2), { timeout: 30_000 });
  // The other waits for its turn, and until then is in nobody's hands.
  const states = await Promise.all([slow[0]!, slow[1]!].map(async (id) => (await world.workState(id)).state));
  expect(states.sort()).toEqual(["leased", "pending"]);
  expect([await take(slow[2]!), await take(slow[3]!)]).toEqual([expect.any(Number), expect.any(Number)]);
  expect(ends).toEqual([
    { end: "busy", candidate: expect.any(String) },
    { end: "busy", candidate: expect.any(String) },
  ]);
  expect(await world.workState(slow[2]!)).toMatchObject({ state: "pending" });
  for (const id of fast) expect(await take(id)).toBeNull();
  expect(quick.received.length).toBe(4);
  expect(hanging.received.length).toBe(1);

  // Once it answers, all that was put off is done without being delivered again.
  for (let n = 0; n < 4; n += 1) {
    await vi.waitFor(() => expect(gates.length).toBe(n + 1), { timeout: 30_000 });
    gates[n]!();
  }
  expect(await Promise.all(inHand)).toEqual([null, null]);
  for (const id of slow) expect((await world.workState(id)).state).toBe("done");
  expect(ends.filter(({ end }) => end === "committed").length).toBe(8);
  await hanging.close();
  await quick.close();
});

it("a worker that is idle takes what another has in mind", async () => {
  const server = await startCandidate(agree);
  const { deployment, candidates } = await world.addDeployment(server.url);
  for (let x = 0; x < 4; x += 1) await world.addSegment(deployment.id, [capture(x)]);
  const works = await world.prisma.work.findMany({ where: { runId: candidates[0]!.liveRunId } });
  const turns = createTurns(1);
  const busy = world.worker({ turns });
  const place = turns.enter(`${deployment.name}/${candidates[0]!.name}`)!;
  for (const { id } of works.slice(1)) {
    expect(await replayInTurn(busy, id, never, () => {})).toEqual(expect.any(Number));
  }
  const idle = world.worker({ turns: createTurns(4) });
  expect(await replayInTurn(idle, works[0]!.id, never, () => {})).toBeNull();
  for (const { id } of works) expect((await world.workState(id)).state).toBe("done");
  expect(server.received.length).toBe(4);
  place.leave();
  await server.close();
});

describe("with one place, and a backlog of two candidates", () => {
  const backlog = async () => {
    const server = await startCandidate(agree);
    const { deployment, candidates } = await world.addDeployment(server.url, server.url);
    for (let x = 0; x < 12; x += 1) await world.addSegment(deployment.id, [capture(x)]);
    const [first, second] = candidates.map(({ liveRunId }) => liveRunId) as [number, number];
    const worksOf = (runId: number) =>
      world.prisma.work.findMany({ where: { runId }, orderBy: { id: "asc" } });
    const doneOf = async (runId: number) => (await worksOf(runId)).filter(({ state }) => state === "done");
    return { server, first, second, worksOf, doneOf, deps: world.worker({ turns: createTurns(1) }) };
  };

  it("a job goes on with a few of its candidate, the oldest, and leaves the place to the other", async () => {
    const { server, first, second, worksOf, doneOf, deps } = await backlog();
    const works = await worksOf(first);
    expect(await replayInTurn(deps, works[0]!.id, never, () => {})).toBeNull();
    const done = (await doneOf(first)).map(({ id }) => id);
    expect(done.length).toBe(5);
    expect(Math.max(...done.map(Number))).toBeLessThanOrEqual(Number(works[11]!.id));
    expect(await doneOf(second)).toEqual([]);
    await server.close();
  });

  it("one that fails on our side fails no job but its own, and is not tried again at once", async () => {
    const { server, first, worksOf, doneOf, deps } = await backlog();
    const works = await worksOf(first);
    const { store } = deps;
    const commitWork: typeof store.outcomes.commitWork = (commit) =>
      commit.workId === works[0]!.id
        ? store.outcomes.commitWork(commit)
        : Promise.reject(new Error("disk full"));
    const failing = { ...deps, store: { ...store, outcomes: { ...store.outcomes, commitWork } } };
    expect(await replayInTurn(failing, works[0]!.id, never, () => {})).toBeNull();
    expect((await doneOf(first)).map(({ id }) => id)).toEqual([works[0]!.id]);
    expect(server.received.length).toBe(2);
    const handedBack = (await worksOf(first)).filter(({ enqueuedAt }) => enqueuedAt === null);
    expect(handedBack.map(({ state }) => state)).toEqual(["pending"]);
    expect(await store.work.waitingBeside(works[0]!.id)).not.toBe(handedBack[0]!.id);
    await server.close();
  });
});
