import { Command } from "commander";
import { startWorkers } from "../../workers/service.js";
import { createBlobStore } from "../blobs/blobs.js";
import { loadConfig } from "../config.js";
import { UnderstudyError } from "../errors.js";
import { createLogger } from "../log.js";
import { serve } from "../process/service.js";
import { createQueues } from "../queue/backend.js";
import { assertMigrated } from "../store/migrate.js";
import { createStore } from "../store/store.js";
import { createUpstream } from "../upstream/client.js";

/** `understudy worker`: replays, comparisons, alerts, maintenance. Any number may run. */
export function workerCommand(): Command {
  return new Command("worker")
    .description("run a worker: replays, alerts, webhooks, maintenance; start as many as needed")
    .action(async () => {
      const config = loadConfig();
      const { databaseUrl, redisUrl } = config;
      if (databaseUrl === undefined) {
        throw new UnderstudyError("config_invalid", "A worker needs a database: DATABASE_URL is not set", {
          hint: "Set DATABASE_URL, or run everything with the embedded Postgres: understudy up.",
        });
      }
      await assertMigrated(databaseUrl);
      const log = createLogger(config, "worker");
      const blobs = await createBlobStore(config);
      const store = createStore(databaseUrl);
      const upstream = createUpstream({ config });
      const close = async () => {
        await upstream.close();
        await store.close();
      };
      try {
        const queues = createQueues({ redisUrl, databaseUrl, log });
        const service = await startWorkers({ config, log, store, queues, blobs, upstream });
        await serve({ ready: service.ready, close: () => service.close().finally(close) }, log);
      } catch (error) {
        await close();
        throw error;
      }
    });
}
