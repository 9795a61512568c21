import { Command } from "commander";
import { createBlobStore } from "../blobs/blobs.js";
import { loadConfig } from "../config.js";
import { startControl } from "../control/service.js";
import { UnderstudyError } from "../errors.js";
import { createLogger } from "../log.js";
import { serve } from "../process/service.js";
import { assertMigrated } from "../store/migrate.js";
import { createStore } from "../store/store.js";
import { createUpstream } from "../upstream/client.js";
import { port } from "./options.js";

/** `understudy control`: the API, the reviewer page and the metrics. */
export function controlCommand(): Command {
  return new Command("control")
    .description("run the control plane: API, reviewer page, metrics")
    .option("--port <port>", "instead of UNDERSTUDY_CONTROL_PORT; 0: any free one", port)
    .action(async (options: { port?: number }) => {
      const loaded = loadConfig();
      const config = { ...loaded, controlPort: options.port ?? loaded.controlPort };
      if (config.databaseUrl === undefined) {
        throw new UnderstudyError(
          "config_invalid",
          "The control plane needs a database: DATABASE_URL is not set",
          {
            hint: "Set DATABASE_URL, or run everything with the embedded Postgres: understudy up.",
          },
        );
      }
      await assertMigrated(config.databaseUrl);
      const log = createLogger(config, "control");
      const store = createStore(config.databaseUrl);
      const upstream = createUpstream({ config });
      const blobs = await createBlobStore(config);
      const close = async () => {
        await upstream.close();
        await store.close();
      };
      try {
        const service = await startControl({ config, log, store, blobs, upstream });
        await serve({ ready: service.ready, close: () => service.close().finally(close) }, log);
      } catch (error) {
        await close();
        throw error;
      }
    });
}
