import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, onTestFinished, test, vi } from "vitest";
import type { FlowChange } from "../../src/replay/flow.js";
import type { Hosts } from "../../src/replay/hosts.js";
import { type ReplayEnd, replayWork } from "../../src/replay/replay-work.js";
import type { NewReplay } from "../../src/store/replay-types.js";
import { endpoint, newCandidate, newDeployment, wholeTime } from "../store/support.js";
import { answer, capture, openReplayWorld, type ReplayWorld, startCandidate } from "./support.js";

const never = new AbortController().signal;

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

type Act = Parameters<typeof startCandidate>[0];
const agree: Act = ({ x, path }, response) =>
  void response.end(path.endsWith("/infer") ? answer(x) : JSON.stringify({ name: "m0" }));
let names = 0;

interface Setting {
  act?: Act;
  flow?: FlowChange;
  over?: Partial<NewReplay>;
  /** How the captures of each segment were tagged, if at all; each answers to its number. */
  segments: (string | null)[][];
  url?: string;
}

/** An unpaced replay, planned and begun, of captures of which nothing else is to be done. */
async function openReplay({ act = agree, flow = {}, over = {}, segments, url }: Setting) {
  const candidate = await startCandidate(act);
  onTestFinished(() => candidate.close());
  const name = `flowing-${++names}`;
  const deployment = await world.store.registry.createDeployment(newDeployment({ name }));
  const given = newCandidate({ endpoint: endpoint({ url: url ?? candidate.url }) });
  await world.store.registry.addCandidate(name, given);
  await world.store.registry.changeCandidate(name, given.name, { flow });
  let x = 0;
  for (const tags of segments) {
    const captures = tags.map((tag) => capture(x++, tag === null ? {} : { tags: { kind: tag } }));
    const { workIds } = await world.addSegment(deployment.id, captures);
    await world.prisma.work.deleteMany({ where: { id: { in: workIds } } });
  }
  const { runId } = await world.store.replays.open({
    deployment: name,
    target: { kind: "candidate", name: given.name },
    filter: {},
    speed: null,
    concurrency: 8,
    ratePerSecond: null,
    onFailure: "skip",
    ...over,
  });
  await world.store.replays.conduct();
  return {
    candidate,
    name,
    runId,
    works: () => world.prisma.work.findMany({ where: { runId }, orderBy: { id: "asc" } }),
    counts: async () =>
      Object.fromEntries(
        (await world.store.rollups.summary(runId, wholeTime)).get("dispositions")?.counts ?? [],
      ),
  };
}

const plain = (n: number) => Array<null>(n).fill(null);

it("puts a work off while its candidate is away: nothing counts as its failure", async () => {
  let away = true;
  const { candidate, works, counts } = await openReplay({
    flow: { breakerFailures: 3 },
    segments: [plain(10)],
    act: (received, response) => {
      if (away) response.socket!.resetAndDestroy();
      else agree(received, response);
    },
  });
  const [{ id } = { id: 0n }] = await works();
  const deps = world.worker();
  expect((await replayWork(deps, id, never)).end).toBe("put_off");
  const asked = candidate.received.length;
  expect(candidate.received.filter(({ path }) => path.endsWith("/infer")).length).toBe(3);
  expect((await replayWork(deps, id, never)).end).toBe("put_off");
  expect(candidate.received.length).toBe(asked);
  expect(await counts()).toEqual({});
  away = false;
  await vi.waitFor(async () => expect((await replayWork(deps, id, never)).end).toBe("committed"), {
    timeout: 10_000,
    interval: 200,
  });
  expect(await counts()).toEqual({ compared: 10 });
});

test.each<[string, FlowChange, Partial<NewReplay>, number]>([
  ["the candidate's settings", { concurrency: 2 }, {}, 2],
  ["the replay's cap", { concurrency: 8 }, { concurrency: 3 }, 3],
])("%s say how many requests are in flight", async (_, flow, over, most) => {
  let now = 0;
  let peak = 0;
  const { works, counts } = await openReplay({
    flow,
    over,
    segments: [plain(12)],
    act: async (received, response) => {
      now += 1;
      peak = Math.max(peak, now);
      await sleep(30);
      now -= 1;
      agree(received, response);
    },
  });
  await replayWork(world.worker(), (await works())[0]!.id, never);
  expect(peak).toBe(most);
  expect(await counts()).toEqual({ compared: 12 });
});

test("what is no candidate has the replay's own cap, and no lane of one request", async () => {
  let now = 0;
  let peak = 0;
  const target = await startCandidate(async (received, response) => {
    now += 1;
    peak = Math.max(peak, now);
    await sleep(50);
    now -= 1;
    agree(received, response);
  });
  onTestFinished(() => target.close());
  const { works } = await openReplay({
    segments: [plain(8)],
    over: { target: { kind: "url", endpoint: endpoint({ url: target.url }), metadata: {} }, concurrency: 4 },
  });
  await replayWork(world.worker(), (await works())[0]!.id, never);
  expect(peak).toBe(4);
});

test("a request that is refused is tried again as the candidate's settings say", async () => {
  let refusals = 2;
  const { works, runId } = await openReplay({
    flow: { retries: { max: 2, backoffMs: 1 } },
    segments: [plain(1)],
    act: (received, response) => {
      if (refusals-- > 0) response.writeHead(503).end();
      else agree(received, response);
    },
  });
  await replayWork(world.worker(), (await works())[0]!.id, never);
  expect(await world.prisma.outcome.findMany({ where: { runId } })).toMatchObject([
    { disposition: "compared", attempts: 3 },
  ]);
});

test("a model of ours whose process dies of an input is blamed for that one alone", async () => {
  const { candidate, works, counts } = await openReplay({
    flow: { concurrency: 4 },
    segments: [plain(6)],
    url: "onnx:model.onnx",
    act: (received, response) => {
      const { x, path } = received;
      if (path.endsWith("/infer") && x === 3) {
        response.writeHead(500).end(JSON.stringify({ error: "m0 did not survive this input" }));
      } else agree(received, response);
    },
  });
  const hosts: Hosts = {
    use: (served, _, act) => act({ ...served, url: candidate.url }),
    close: async () => {},
  };
  await replayWork(world.worker({ hosts }), (await works())[0]!.id, never);
  expect(await counts()).toEqual({ compared: 5, dead: 1 });
});

test("a request that kills is split off among rows that are not all meant, and is dead", async () => {
  // Of 12 captures every second is meant.
  const tags = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? "even" : "odd"));
  const poison = 4;
  const { candidate, works, counts, runId, name } = await openReplay({
    segments: [tags],
    over: { filter: { tags: { kind: "even" } } },
  });
  const open = async () => (await works()).filter(({ state }) => state === "pending" || state === "leased");
  const ends: ReplayEnd["end"][] = [];
  for (let round = 0; round < 30 && (await open()).length > 0; round += 1) {
    for (const { id, rowList, firstRow, stalls, suspect } of await open()) {
      const rows = rowList.length === 0 ? [firstRow] : rowList;
      // Whoever takes it up dies of it: its lease runs out.
      if (rows.includes(poison) && stalls + 1 < (suspect && rows.length === 1 ? 4 : 3)) {
        await world.store.work.lease(id, "dies of it", 60_000);
        await world.expire(id);
      } else ends.push((await replayWork(world.worker(), id, never)).end);
    }
  }
  expect(ends.filter((end) => end === "split").length).toBeGreaterThan(1);
  expect(await counts()).toEqual({ compared: 5, dead: 1 });
  expect(candidate.received.map(({ x }) => x).sort((a, b) => a - b)).toEqual([0, 2, 6, 8, 10]);
  const { replays, deadWorks } = world.store;
  await replays.conduct();
  expect((await replays.get(runId)).state).toBe("done");

  // Mended: taken up again, it is queued, and the replay ends again.
  const [dead] = await deadWorks.list({ deployment: name, candidate: null, before: null, limit: 2 });
  expect(dead).toMatchObject({ rows: 1, firstRow: poison });
  expect(await deadWorks.retry(dead!.id)).toBe(true);
  expect(await replays.get(runId)).toMatchObject({ state: "planned", pending: 1, endedAtMs: null });
  expect(await replays.conduct()).toContain(dead!.id);
  expect((await replayWork(world.worker(), dead!.id, never)).end).toBe("committed");
  expect(await counts()).toMatchObject({ compared: 6 });
  await replays.conduct();
  expect(await replays.get(runId)).toMatchObject({ state: "done", endedAtMs: expect.any(Number) });
});

test("what is dead of a replay that was cancelled is not taken up again", async () => {
  const { works, name, runId } = await openReplay({ segments: [plain(2), plain(2)] });
  const { replays, deadWorks, work } = world.store;
  const { id, lease } = (await work.lease((await works())[0]!.id, "test", 60_000))!;
  expect(await work.markDead(id, lease, "it is beyond repair")).toBe(true);
  await replays.cancel(runId);
  expect(await deadWorks.retry(id)).toBe(false);
  expect(await deadWorks.list({ deployment: name, candidate: null, before: null, limit: 2 })).toMatchObject([
    { id, rows: 2 },
  ]);
});

test("a rate is kept over works of one request each", async () => {
  const at: number[] = [];
  const { works } = await openReplay({
    flow: { concurrency: 8 },
    over: { ratePerSecond: 20 },
    segments: Array.from({ length: 6 }, () => plain(1)),
    act: (received, response) => {
      at.push(performance.now());
      agree(received, response);
    },
  });
  const deps = world.worker();
  for (const { id } of await works()) await replayWork(deps, id, never);
  expect(at.length).toBe(6);
  expect(at.at(-1)! - at[0]!).toBeGreaterThan(5 * 50 - 25);
});
