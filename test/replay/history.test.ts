import type { ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import type { Capture } from "../../src/capture/capture.js";
import { newId } from "../../src/ids.js";
import type { Child } from "../../src/process/child.js";
import type { NewReplay, Replay } from "../../src/store/replay-types.js";
import { noonMs } from "../store/support.js";
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

it("keeps the recorded pace, and says how late each request was", async () => {
  const { candidate, open } = await record([
    range(20).map((i) => at(i * 50, i)),
    range(20).map((i) => at(1_025 + i * 50, 20 + i)),
  ]);
  const replay = await open({ speed: 1, concurrency: 64 });
  await start();
  await until(replay.runId, "done");
  expect(candidate.received.map(({ x }) => x)).toEqual(range(40));
  const rows = await outcomes(replay.runId);
  expect(rows.map(({ disposition }) => disposition)).toEqual(range(40).map(() => "compared"));
  for (const { lateMs } of rows) expect(lateMs).toBeGreaterThanOrEqual(0);
});
