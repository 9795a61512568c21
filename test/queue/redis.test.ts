import { readFileSync } from "node:fs";
import { pino } from "pino";
import { describe, expect, it, vi } from "vitest";
import { createQueues } from "../../src/queue/backend.js";
import { handles, replayJob } from "../../src/queue/jobs.js";
import { conformance } from "./conformance.js";
import { freePort, redisServerThere, startTestRedis } from "./redis.js";

const silent = pino({ level: "silent" });
// With Redis the database is not used by the queues.
const databaseUrl = "postgres://unused@127.0.0.1:1/unused";

const there = redisServerThere();
if (!there && process.env.CI === "true") throw new Error("redis-server is not on the PATH");
if (!there) console.warn("left out: queues over Redis (no redis-server on the PATH)");

describe.runIf(there)("Redis", () => {
  conformance("Redis", async () => {
    const redis = await startTestRedis();
    return {
      redisUrl: redis.url,
      databaseUrl,
      forget: async () => void (await redis.client.flushall()),
      stop: redis.stop,
    };
  });

  it("says that the queue cannot be reached", async () => {
    const queues = createQueues({
      redisUrl: `redis://127.0.0.1:${await freePort()}`,
      databaseUrl,
      log: silent,
    });
    await expect(queues.ready()).rejects.toMatchObject({
      code: "queue_unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    await queues.close(0);
  });

  it("warns of a Redis that may evict jobs", async () => {
    const redis = await startTestRedis("--maxmemory-policy", "allkeys-lru");
    const lines: string[] = [];
    const queues = createQueues({
      redisUrl: redis.url,
      databaseUrl,
      log: pino({ level: "warn" }, { write: (line) => lines.push(line) }),
    });
    await queues.ready();
    expect(lines.join("")).toContain("noeviction");
    await queues.close(0);
    await redis.stop();
  });

  it("never hangs on a Redis that hangs, and goes on when it does", async () => {
    const redis = await startTestRedis();
    const queues = createQueues({ redisUrl: redis.url, databaseUrl, log: silent });
    const seen: string[] = [];
    await queues.work(
      "replay",
      [
        handles(replayJob, async ({ workId }) => {
          seen.push(workId);
        }),
      ],
      { concurrency: 2 },
    );
    redis.process.kill("SIGSTOP");
    await vi.waitFor(() => expect(stateOf(redis.process.pid!)).toBe("T"), { timeout: 30_000 });
    // Many callers at once: all are told, none waits for ever.
    const calls = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) => queues.addReplay([BigInt(n + 1)])),
    );
    for (const call of calls) {
      expect(call).toMatchObject({ status: "rejected", reason: { code: "queue_unreachable" } });
    }
    redis.process.kill("SIGCONT");
    await vi.waitFor(() => queues.addReplay([1_000n]), { timeout: 20_000, interval: 100 });
    await vi.waitFor(() => expect(seen).toContain("1000"), { timeout: 20_000 });
    await queues.close();
    await redis.stop();
  });

  it("closes although Redis hangs", async () => {
    const redis = await startTestRedis();
    const queues = createQueues({ redisUrl: redis.url, databaseUrl, log: silent });
    await queues.work("replay", [handles(replayJob, async () => {})], { concurrency: 2 });
    redis.process.kill("SIGSTOP");
    await vi.waitFor(() => expect(stateOf(redis.process.pid!)).toBe("T"), { timeout: 30_000 });
    await queues.close(500);
    await redis.stop();
  });

  it("goes on after Redis was killed and came back empty", async () => {
    const redis = await startTestRedis();
    const queues = createQueues({ redisUrl: redis.url, databaseUrl, log: silent });
    const seen: string[] = [];
    await queues.work(
      "replay",
      [
        handles(replayJob, async ({ workId }) => {
          seen.push(workId);
        }),
      ],
      { concurrency: 2 },
    );
    await redis.kill();
    await expect(queues.addReplay([1n])).rejects.toMatchObject({ code: "queue_unreachable" });
    await redis.restart();
    await vi.waitFor(() => queues.addReplay([2n]), { timeout: 20_000, interval: 100 });
    await vi.waitFor(() => expect(seen).toContain("2"), { timeout: 20_000 });
    await queues.close();
    await redis.stop();
  });

  it("refuses with a name when Redis is full, and goes on when it no longer is", async () => {
    const redis = await startTestRedis();
    const queues = createQueues({ redisUrl: redis.url, databaseUrl, log: silent });
    await queues.ready();
    await redis.client.config("SET", "maxmemory", "1");
    await expect(queues.addReplay([1n])).rejects.toMatchObject({
      code: "queue_unreachable",
      message: expect.stringContaining("OOM"),
    });
    await redis.client.config("SET", "maxmemory", "0");
    await vi.waitFor(() => queues.addReplay([2n]), { timeout: 20_000, interval: 100 });
    expect((await queues.counts("replay")).waiting).toBe(1);
    await queues.close();
    await redis.stop();
  });
});

/** The state letter of a process, `T` when stopped. */
function stateOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.slice(0, 1);
}
