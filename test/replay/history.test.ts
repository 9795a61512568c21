import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import type { Capture } from "../../src/capture/capture.js";
import { newId } from "../../src/ids.js";
import type { Child } from "../../src/process/child.js";
import type { NewReplay, Replay } from "../../src/store/replay-types.js";
import { noonMs, wholeTime } from "../store/support.js";
import { startWorker } from "../workers/processes.js";
import {
  answer,
  capture,
  openReplayWorld,
  type Received,
  type ReplayWorld,
  startCandidate,
} from "./support.js";

let world: ReplayWorld;
const running: Child[] = [];
beforeAll(async () => {
  world = await openReplayWorld();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((worker) => worker.stop()));
});
afterAll(() => world.close());

async function start(): Promise<Child> {
  const worker = await startWorker(world);
  running.push(worker);
  return worker;
}

/** A capture received so many milliseconds after noon. */
function at(ms: number, x: number, over: Partial<Capture> = {}): Capture {
  const receivedAtMs = noonMs + ms;
  return capture(x, { id: newId(receivedAtMs), receivedAtMs, ...over });
}

/** Recorded traffic: its live works are done with, so that only replays are sent. */
async function record(
  segments: Capture[][],
  act: (received: Received, response: ServerResponse) => void = ({ x }, response) => response.end(answer(x)),
) {
  const candidate = await startCandidate(act);
  onTestFinished(() => candidate.close());
  const { deployment, candidates } = await world.addDeployment(candidate.url);
  for (const captures of segments) {
    const { workIds } = await world.addSegment(deployment.id, captures);
    await world.prisma.work.deleteMany({ where: { id: { in: workIds } } });
  }
  const open = (over: Partial<NewReplay> = {}) =>
    world.store.replays.open({
      deployment: deployment.name,
      target: { kind: "candidate", name: candidates[0]!.name },
      filter: {},
      speed: null,
      concurrency: 4,
      ratePerSecond: null,
      onFailure: "skip",
      ...over,
    });
  return { candidate, deployment, open };
}

const until = (runId: number, state: Replay["state"]) =>
  vi.waitFor(
    async () => {
      const replay = await world.store.replays.get(runId);
      expect(replay.state).toBe(state);
      return replay;
    },
    { timeout: 40_000, interval: 100 },
  );

const outcomes = (runId: number) =>
  world.prisma.outcome.findMany({ where: { runId }, orderBy: { capturedAt: "asc" } });

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

it("sends exactly the errors of a recording with 3 % of them", async () => {
  const segments = range(3).map((s) =>
    range(100).map((i) =>
      at(s * 1_000 + i * 10, s * 100 + i, (s * 100 + i) % 33 === 5 ? { status: 503 } : {}),
    ),
  );
  const failed = segments.flat().filter(({ status }) => status === 503);
  const { candidate, open } = await record(segments);
  const replay = await open({ filter: { errorsOnly: true } });
  expect(replay).toMatchObject({ state: "planned", captures: failed.length, pending: failed.length });
  await start();
  const done = await until(replay.runId, "done");
  expect(done).toMatchObject({ pending: 0, cancelled: 0 });
  const xs = failed.map(
    ({ requestBody }) => JSON.parse(Buffer.from(requestBody).toString()).inputs[0].data[0],
  );
  expect(candidate.received.map(({ x }) => x).sort((a, b) => a - b)).toEqual(xs);
  expect((await outcomes(replay.runId)).map(({ captureId }) => captureId)).toEqual(
    failed.map(({ id }) => id),
  );
});

it("keeps the recorded order and says how late each request was; what is overdue is not sent", async () => {
  const { candidate, open } = await record([
    range(20).map((i) => at(i * 50, i)),
    range(20).map((i) => at(1_025 + i * 50, 20 + i)),
  ]);
  const replay = await open({ speed: 1, concurrency: 64 });
  await start();
  await until(replay.runId, "done");
  const rows = await outcomes(replay.runId);
  expect(rows.length).toBe(40);
  const sent = rows.filter(({ reason }) => reason !== "never_sent");
  expect(candidate.received.length).toBe(sent.length);
  for (const { disposition, lateMs } of sent) {
    expect(disposition).toBe("compared");
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThanOrEqual(1_000);
  }
});

it("begins its time line when a worker is ready to send, not before; again after a pause", async () => {
  const { open } = await record([range(3).map((i) => at(i * 100, i))]);
  const { replays } = world.store;
  const { runId } = await open({ speed: 1 });
  expect(await replays.beginLine(runId)).toBeNull();
  await replays.conduct();
  expect(await replays.get(runId)).toMatchObject({ state: "running", lineAtMs: null });
  const lineAtMs = await replays.beginLine(runId);
  expect(lineAtMs).toBeTypeOf("number");
  await replays.conduct();
  expect(await replays.beginLine(runId)).toBe(lineAtMs);
  await replays.pause(runId);
  expect(await replays.beginLine(runId)).toBeNull();
  await replays.resume(runId);
  await replays.conduct();
  expect(await replays.get(runId)).toMatchObject({ state: "running", lineAtMs: null });
  expect(await replays.beginLine(runId)).toBeGreaterThan(lineAtMs!);
  await replays.cancel(runId);
});

it("judges each request once although its worker is killed half way", async () => {
  const segments = range(4).map((s) => range(50).map((i) => at(s * 1_000 + i * 10, s * 50 + i)));
  let halfway = () => {};
  const half = new Promise<void>((resolve) => {
    halfway = resolve;
  });
  let received = 0;
  const { open } = await record(segments, ({ x }, response) => {
    received += 1;
    if (received === 100) halfway();
    // The fault must find requests on their way.
    setTimeout(() => response.end(answer(x)), received > 100 ? 50 : 0);
  });
  const replay = await open({ concurrency: 8 });
  const first = await start();
  await half;
  first.process.kill("SIGKILL");
  expect(await first.exited).toBe("SIGKILL");
  expect((await world.store.replays.get(replay.runId)).pending).toBeGreaterThan(0);
  await start();
  await until(replay.runId, "done");
  const rows = await outcomes(replay.runId);
  expect(new Set(rows.map(({ captureId }) => captureId)).size).toBe(200);
  expect(rows.length).toBe(200);
  const series = await world.store.rollups.summary(replay.runId, wholeTime);
  expect(Object.fromEntries(series.get("dispositions")!.counts)).toEqual({ compared: 200 });
});

it("is paused, goes on where it stopped, and is cancelled with an account of the rest", async () => {
  const { candidate, open } = await record(
    range(3).map((s) => range(100).map((i) => at(s * 1_000 + i * 10, s * 100 + i))),
    ({ x }, response) => setTimeout(() => response.end(answer(x)), 30),
  );
  const replay = await open({ concurrency: 2 });
  await start();
  await vi.waitFor(() => expect(candidate.received.length).toBeGreaterThan(20), { timeout: 40_000 });
  await world.store.replays.pause(replay.runId);
  const paused = await vi.waitFor(
    async () => {
      const works = await world.prisma.work.findMany({ where: { runId: replay.runId } });
      expect(works.filter(({ state }) => state === "leased")).toEqual([]);
      return world.store.replays.get(replay.runId);
    },
    { timeout: 40_000, interval: 100 },
  );
  expect(paused.state).toBe("paused");
  expect(paused.pending).toBeGreaterThan(0);
  expect(candidate.received.length).toBe(300 - paused.pending);
  const before = candidate.received.length;
  await world.store.replays.resume(replay.runId);
  await vi.waitFor(() => expect(candidate.received.length).toBeGreaterThan(before + 10), { timeout: 40_000 });
  await world.store.replays.cancel(replay.runId);
  const cancelled = await vi.waitFor(
    async () => {
      const now = await world.store.replays.get(replay.runId);
      expect(now.pending).toBe(0);
      return now;
    },
    { timeout: 40_000, interval: 100 },
  );
  const rows = await outcomes(replay.runId);
  expect(rows.length + cancelled.cancelled).toBe(300);
  expect(cancelled.cancelled).toBeGreaterThan(0);
  // Nothing was sent twice on the way.
  expect(candidate.received.length).toBe(rows.length);
  await expect(world.store.replays.resume(replay.runId)).rejects.toMatchObject({ code: "conflict" });
});

it("ends at the first failure when it is told to", async () => {
  const { candidate, open } = await record(
    range(3).map((s) => range(100).map((i) => at(s * 1_000 + i * 10, s * 100 + i))),
    ({ x }, response) => {
      if (x === 5) response.writeHead(500).end("out of luck");
      else response.end(answer(x));
    },
  );
  const replay = await open({ concurrency: 1, onFailure: "stop" });
  await start();
  const failed = await until(replay.runId, "failed");
  expect(failed.error).toContain("out of luck");
  expect(candidate.received.length).toBe(6);
  await vi.waitFor(async () => expect((await world.store.replays.get(replay.runId)).cancelled).toBe(294), {
    timeout: 20_000,
  });
});

it("seals a selection: its members, their order and its digest do not change, and its segments stay", async () => {
  const { open, deployment } = await record([range(60).map((i) => at(i * 10, i))]);
  const { selections } = world.store;
  const made = await selections.create({
    deployment: deployment.name,
    name: "first",
    filter: {},
    seal: true,
  });
  const members = await selections.members(made.id, 0, 100);
  const order = (id: string) => createHash("sha256").update(`${made.sealed!.key}:${id}`).digest("hex");
  const ids = members.map(({ captureId }) => captureId);
  expect(ids).toEqual([...ids].sort((a, b) => (order(a) < order(b) ? -1 : 1)));
  expect(made.sealed!.sha256).toBe(createHash("sha256").update(ids.join("\n")).digest("hex"));
  const { workIds } = await world.addSegment(deployment.id, [at(5_000, 7)]);
  await world.prisma.work.deleteMany({ where: { id: { in: workIds } } });
  expect(await selections.get(deployment.name, "first")).toMatchObject({ captures: 60, erased: 0 });
  expect(await open({ selection: "first" })).toMatchObject({ captures: 60, selection: "first" });
  await expect(world.prisma.segment.deleteMany({ where: { deploymentId: deployment.id } })).rejects.toThrow(
    /selection_members_segment_id_fkey|Foreign key/,
  );
});
