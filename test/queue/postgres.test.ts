import { Client } from "pg";
import { pino } from "pino";
import { expect, it, vi } from "vitest";
import { createQueues } from "../../src/queue/backend.js";
import { handles, replayJob } from "../../src/queue/jobs.js";
import { createTestDatabase } from "../support/database.js";
import { conformance } from "./conformance.js";
import { freePort } from "./redis.js";

const silent = pino({ level: "silent" });

conformance("Postgres", async () => {
  const database = await createTestDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  return {
    redisUrl: undefined,
    databaseUrl: database.url,
    forget: async () => {
      await client.query("TRUNCATE bullmq.job, bullmq.scheduler CASCADE");
    },
    stop: async () => {
      await client.end();
      await database.drop();
    },
  };
});

it("says that the queue cannot be reached", async () => {
  const databaseUrl = `postgres://nobody@127.0.0.1:${await freePort()}/none`;
  const queues = createQueues({ redisUrl: undefined, databaseUrl, log: silent });
  await expect(queues.ready()).rejects.toMatchObject({ code: "queue_unreachable" });
  await queues.close(0);
});

it("goes on after Postgres has ended all its connections", async () => {
  const database = await createTestDatabase();
  const admin = new Client({ connectionString: database.url });
  await admin.connect();
  const queues = createQueues({ redisUrl: undefined, databaseUrl: database.url, log: silent });
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
  await queues.addReplay([1n]);
  await vi.waitFor(() => expect(seen).toEqual(["1"]), { timeout: 20_000 });
  const { rowCount } = await admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
  );
  expect(rowCount).toBeGreaterThan(0);
  await vi.waitFor(() => queues.addReplay([2n]), { timeout: 20_000 });
  await vi.waitFor(() => expect(seen).toContain("2"), { timeout: 20_000 });
  await queues.close();
  await admin.end();
  await database.drop();
});
