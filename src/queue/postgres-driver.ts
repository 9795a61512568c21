import { createPostgresBackend, Queue, runMigrations, Worker } from "bullmq";
import { Pool } from "pg";
import type { Logger } from "../log.js";
import { type Driver, processorOf } from "./driver.js";
import { createErrorLog } from "./error-log.js";

/** One connection per worker listens for jobs; the others are for queries. */
const poolMax = 11;

/**
 * BullMQ over Postgres, in schema `bullmq`, which it migrates itself. All queues of the process share one pool: a
 * pool for each would cost tens of connections.
 */
export function createPostgresDriver(databaseUrl: string, log: Logger): Driver {
  const onError = createErrorLog(log, "queue in Postgres");
  const pool = new Pool({
    connectionString: databaseUrl,
    options: "-c search_path=bullmq",
    application_name: "understudy-queue",
    max: poolMax,
    connectionTimeoutMillis: 3_000,
    query_timeout: 10_000,
    keepAlive: true,
  });
  pool.on("error", onError);
  // Every queue and every worker adds one, and there are more than ten of them: no leak.
  pool.setMaxListeners(0);
  let migrated: Promise<void> | null = null;

  async function migrate(): Promise<void> {
    const client = await pool.connect();
    try {
      await runMigrations(client);
    } finally {
      client.release();
    }
  }

  /** BullMQ remembers a first connection that failed for ever, so its objects are made once Postgres has answered. */
  function ready(): Promise<void> {
    migrated ??= migrate().catch((error: unknown) => {
      migrated = null;
      throw error;
    });
    return migrated;
  }

  return {
    open(name) {
      let discarded = false;
      let close = async () => {};
      const queue = ready().then(async () => {
        if (discarded) throw new Error("closed");
        const made = new Queue(
          name,
          { connection: pool, streams: { events: { maxLen: 100 } } },
          createPostgresBackend,
        );
        made.on("error", onError);
        close = () => made.close();
        await made.waitUntilReady();
        return made;
      });
      return {
        queue,
        discard: async () => {
          discarded = true;
          await close();
        },
      };
    },

    work(name, take, options, failed) {
      const worker = new Worker(
        name,
        processorOf(take),
        { ...options, connection: pool },
        createPostgresBackend,
      );
      worker.on("error", onError);
      worker.on("failed", failed);
      return { close: () => worker.close(), discard: () => worker.getBackend().close(true) };
    },

    close: () => pool.end(),
  };
}
