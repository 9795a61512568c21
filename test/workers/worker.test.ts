import { spawnSync } from "node:child_process";
import type { ServerResponse } from "node:http";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, test, vi } from "vitest";
import { cliMain } from "../../src/paths.js";
import type { Child } from "../../src/process/child.js";
import { createQueues } from "../../src/queue/backend.js";
import { freePort, redisServerThere, startTestRedis } from "../queue/redis.js";
import {
  answer,
  capture,
  openReplayWorld,
  type Received,
  type ReplayWorld,
  startCandidate,
} from "../replay/support.js";
import { wholeTime } from "../store/support.js";
import { startWorker } from "./processes.js";

let world: ReplayWorld;
const running: Child[] = [];
beforeAll(async () => {
  world = await openReplayWorld();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((worker) => worker.stop()));
});
afterAll(() => world.close());

async function start(over: NodeJS.ProcessEnv = {}): Promise<Child> {
  const worker = await startWorker(world, over);
  running.push(worker);
  return worker;
}

/** A segment for a candidate that acts so. Nothing is queued: that is left to the reconciler, which finds it at once. */
async function shadow(act: (received: Received, response: ServerResponse) => void, xs: number[]) {
  const candidate = await startCandidate(act);
  onTestFinished(() => candidate.close());
  const { deployment, candidates } = await world.addDeployment(candidate.url);
  const runId = candidates[0]!.liveRunId;
  const { workId } = await world.addSegment(
    deployment.id,
    xs.map((x) => capture(x)),
  );
  await world.prisma.work.updateMany({ where: { id: workId }, data: { enqueuedAt: null } });
  return {
    candidate,
    workId,
    runId,
    deployment,
    results: async () => {
      const summary = await world.store.rollups.summary(runId, wholeTime);
      return Object.fromEntries(summary.get("results")?.counts ?? []);
    },
  };
}

const done = (workId: bigint) =>
  vi.waitFor(async () => expect((await world.workState(workId)).state).toBe("done"), {
    timeout: 40_000,
    interval: 100,
  });

it("takes up work that the queue never heard of, judges it and folds its counts", async () => {
  const { workId, runId, results } = await shadow(({ x }, r) => r.end(answer(x === 3 ? 4 : x)), [1, 2, 3]);
  const worker = await start();
  await done(workId);
  expect(await results()).toEqual({ match: 2, mismatch: 1 });
  await vi.waitFor(async () => expect(await world.prisma.rollupDelta.count({ where: { runId } })).toBe(0), {
    timeout: 40_000,
    interval: 200,
  });
  expect(await results()).toEqual({ match: 2, mismatch: 1 });
  const metrics = await (await fetch(String(worker.ready.metrics))).text();
  expect(metrics).toMatch(/understudy_works_total\{end="committed"\} 1/);
  expect(metrics).toMatch(/understudy_outcomes_total\{candidate="[^"]+\/c0",result="match"\} 2/);
  expect(metrics).toMatch(/understudy_jobs\{queue="replay",state="waiting"\} 0/);
});

it("has its work taken up by another when it is killed in the midst of it", async () => {
  let hanging = true;
  const { candidate, workId, results } = await shadow(
    ({ x }, r) => {
      if (!hanging || x === 1) r.end(answer(x));
    },
    [1, 2, 3],
  );
  const first = await start();
  await vi.waitFor(() => expect(candidate.received.length).toBe(2), { timeout: 30_000 });
  first.process.kill("SIGKILL");
  expect(await first.exited).toBe("SIGKILL");
  hanging = false;
  expect((await world.workState(workId)).state).toBe("leased");
  await start();
  await done(workId);
  expect(await results()).toEqual({ match: 3 });
  expect((await world.outcomes(workId)).length).toBe(3);
  expect((await world.workState(workId)).lease).toBe(2);
});

it("changes nothing when it wakes up after another has done its work", async () => {
  let hanging = true;
  const { candidate, workId, results } = await shadow(
    ({ x }, r) => {
      if (!hanging) r.end(answer(x));
      else setTimeout(() => r.end(answer(x + 1)), 60_000).unref();
    },
    [1],
  );
  const sleeper = await start({ UNDERSTUDY_REPLAY_TIMEOUT_MS: "60000" });
  await vi.waitFor(() => expect(candidate.received.length).toBe(1), { timeout: 30_000 });
  sleeper.process.kill("SIGSTOP");
  hanging = false;
  await start();
  await done(workId);
  sleeper.process.kill("SIGCONT");
  // Alive again: it does further work.
  const { workId: next } = await shadow(({ x }, r) => r.end(answer(x)), [1]);
  await done(next);
  expect(await results()).toEqual({ match: 1 });
  expect((await world.outcomes(workId)).length).toBe(1);
});

describe("SIGTERM", () => {
  it("hands back what is in hand, and ends cleanly", async () => {
    const { candidate, workId } = await shadow(() => {}, [1]);
    const worker = await start({ UNDERSTUDY_REPLAY_TIMEOUT_MS: "600000" });
    await vi.waitFor(() => expect(candidate.received.length).toBe(1), { timeout: 30_000 });
    worker.process.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
    expect(await world.workState(workId)).toMatchObject({ state: "pending", leaseUntil: null });
    await world.prisma.work.deleteMany({ where: { id: workId } });
  });

  it("lets what can be finished be finished", async () => {
    const gates: (() => void)[] = [];
    const { workId, results } = await shadow(({ x }, r) => gates.push(() => r.end(answer(x))), [1]);
    const worker = await start();
    await vi.waitFor(() => expect(gates.length).toBe(1), { timeout: 30_000 });
    worker.process.kill("SIGTERM");
    gates[0]!();
    expect(await worker.exited).toBe(0);
    expect((await world.workState(workId)).state).toBe("done");
    expect(await results()).toEqual({ match: 1 });
  });
});

describe("a start that cannot be", () => {
  test.each([
    ["without a database", async () => ({}), "DATABASE_URL"],
    [
      "with a database that is not there",
      async () => ({ DATABASE_URL: `postgres://nobody@127.0.0.1:${await freePort()}/none` }),
      "127.0.0.1",
    ],
    [
      "with a Redis that is not there",
      async () => ({ DATABASE_URL: world.url, REDIS_URL: `redis://127.0.0.1:${await freePort()}` }),
      "ECONNREFUSED",
    ],
  ])("%s ends with one message", async (_, environment, said) => {
    const { status, stderr } = spawnSync(process.execPath, [cliMain, "worker"], {
      env: { PATH: process.env.PATH, UNDERSTUDY_LOG_LEVEL: "error", ...(await environment()) },
      encoding: "utf8",
      timeout: 30_000,
    });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toContain(said);
    expect(stderr).not.toContain("    at ");
  });
});

const there = redisServerThere();
if (!there && process.env.CI === "true") throw new Error("redis-server is not on the PATH");
if (!there) console.warn("left out: workers over Redis (no redis-server on the PATH)");

describe.runIf(there)("over Redis", () => {
  it("goes on after Redis has forgotten everything", async () => {
    const redis = await startTestRedis();
    onTestFinished(redis.stop);
    await start({ REDIS_URL: redis.url });
    const queues = createQueues({
      redisUrl: redis.url,
      databaseUrl: world.url,
      log: pino({ level: "silent" }),
    });
    onTestFinished(() => queues.close(0));
    const { workId, results } = await shadow(({ x }, r) => r.end(answer(x)), [1, 2]);
    await queues.addReplay([workId]);
    await done(workId);
    await redis.client.flushall();
    expect(await redis.client.dbsize()).toBeLessThan(5);
    const later = await shadow(({ x }, r) => r.end(answer(x)), [1, 2, 3]);
    await done(later.workId);
    expect([await results(), await later.results()]).toEqual([{ match: 2 }, { match: 3 }]);
  });

  it("ends by its deadline although Redis hangs, and hands its work back", async () => {
    const redis = await startTestRedis();
    onTestFinished(redis.stop);
    const { candidate, workId } = await shadow(() => {}, [1]);
    const worker = await start({ REDIS_URL: redis.url, UNDERSTUDY_REPLAY_TIMEOUT_MS: "600000" });
    await vi.waitFor(() => expect(candidate.received.length).toBe(1), { timeout: 30_000 });
    redis.process.kill("SIGSTOP");
    worker.process.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
    expect(await world.workState(workId)).toMatchObject({ state: "pending", leaseUntil: null });
  });
});
