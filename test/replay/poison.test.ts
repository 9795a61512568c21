import { afterAll, beforeAll, expect, it, test } from "vitest";
import { replayInTurn } from "../../src/replay/replay-in-turn.js";
import { type ReplayEnd, replayWork } from "../../src/replay/replay-work.js";
import { createSuspects } from "../../src/replay/suspects.js";
import { wholeTime } from "../store/support.js";
import { answer, capture, openReplayWorld, type ReplayWorld, startCandidate } from "./support.js";

const never = new AbortController().signal;
const poison = 3;

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

/** A work of seven captures; whoever is asked about the poison one is never heard of again. */
async function poisoned() {
  const candidate = await startCandidate(({ x }, response) => {
    if (x === poison) return;
    response.end(answer(x));
  });
  const { deployment, candidates } = await world.addDeployment(candidate.url);
  const { workId } = await world.addSegment(
    deployment.id,
    Array.from({ length: 7 }, (_, x) => capture(x)),
  );
  const runId = candidates[0]!.liveRunId;
  return { candidate, deployment, runId, workId };
}

const openWorks = (runId: number) =>
  world.prisma.work.findMany({
    where: { runId, state: { in: ["pending", "leased"] } },
    orderBy: { id: "asc" },
  });

/** Takes up every open work as a worker would that dies when it meets the poison: its lease runs out, no more. */
async function round(runId: number): Promise<ReplayEnd["end"][]> {
  const ends: ReplayEnd["end"][] = [];
  for (const { id, firstRow, rows } of await openWorks(runId)) {
    const holds = firstRow <= poison && poison < firstRow + rows;
    const sight = (await world.store.work.sight(id))!;
    const kills = holds && sight.stalls < (sight.suspect && rows === 1 ? 3 : 2);
    if (kills) {
      await world.store.work.lease(id, "dies of it", 60_000);
      await world.expire(id);
      continue;
    }
    ends.push((await replayWork(world.worker(), id, never)).end);
  }
  return ends;
}

it("a poison request is split off until it stands alone, and is dead; its neighbours are judged", async () => {
  const { candidate, runId, workId } = await poisoned();
  const seen: string[] = [];
  for (let n = 0; n < 30 && (await openWorks(runId)).length > 0; n += 1) seen.push(...(await round(runId)));
  // 7 rows: three splits leave one.
  expect(seen.filter((end) => end === "split").length).toBe(3);
  expect(seen.filter((end) => end === "dead").length).toBe(1);
  const works = await world.prisma.work.findMany({ where: { runId } });
  const outcomes = (await Promise.all(works.map(({ id }) => world.outcomes(id)))).flat();
  expect(outcomes.map(({ disposition }) => disposition).sort()).toEqual([
    ...Array(6).fill("compared"),
    "dead",
  ]);
  const dispositions = (await world.store.rollups.summary(runId, wholeTime)).get("dispositions")?.counts;
  expect(dispositions).toEqual(
    new Map([
      ["compared", 6],
      ["dead", 1],
    ]),
  );
  expect(works.some(({ id }) => id === workId)).toBe(true);
  await candidate.close();
});

test("what is dead is listed, can be taken up again, and the ledger follows", async () => {
  const { candidate, deployment, runId } = await poisoned();
  for (let n = 0; n < 30 && (await openWorks(runId)).length > 0; n += 1) await round(runId);
  const all = { deployment: deployment.name, candidate: null, before: null, limit: 10 };
  const [dead, ...more] = await world.store.deadWorks.list(all);
  expect(more).toEqual([]);
  expect(dead).toMatchObject({ rows: 1, firstRow: poison, error: expect.stringContaining("stalled") });
  const [captureRow] = await world.prisma.capture.findMany({ where: { id: dead!.capture! } });
  expect(captureRow).toMatchObject({ row: poison, deploymentId: deployment.id });

  const terms = async () => (await world.store.ledger.read(deployment.id, wholeTime)).candidates.c0;
  expect(await terms()).toMatchObject({ compared: 6, dead: 1, pending: 0 });
  expect(await world.store.deadWorks.retry(dead!.id)).toBe(true);
  expect(await world.store.deadWorks.retry(dead!.id)).toBe(false);
  expect(await terms()).toMatchObject({ compared: 6, dead: 0, pending: 1 });
  await candidate.close();

  // Mended: it answers now.
  const mended = await startCandidate(({ x }, response) => void response.end(answer(x)));
  await world.prisma.$executeRaw`UPDATE model_versions SET url = ${mended.url} WHERE url = ${candidate.url}`;
  expect((await replayWork(world.worker(), dead!.id, never)).end).toBe("committed");
  expect(await terms()).toMatchObject({ compared: 7, dead: 0, pending: 0 });
  await world.store.rollups.compact();
  expect(await terms()).toMatchObject({ compared: 7, dead: 0, pending: 0 });
  await mended.close();
});

test("parts are gone on with at once, and no suspect beside another", async () => {
  const { candidate, runId, workId } = await poisoned();
  for (let n = 0; n < 2; n += 1) {
    await world.store.work.lease(workId, "dies", 60_000);
    await world.expire(workId);
  }
  const suspects = createSuspects();
  const leave = suspects.enter()!;
  const deps = world.worker({ suspects, replayTimeoutMs: 200 });
  const ends: string[] = [];
  expect(await replayInTurn(deps, workId, never, ({ end }) => ends.push(end))).toEqual(expect.any(Number));
  expect(ends).toEqual(["put_off"]);
  leave();
  expect(await replayInTurn(deps, workId, never, ({ end }) => ends.push(end))).toBeNull();
  expect(ends).toEqual(["put_off", "split", "committed", "committed"]);
  expect(await openWorks(runId)).toEqual([]);
  await candidate.close();
});
