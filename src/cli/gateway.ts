import { Command } from "commander";
import { loadConfig } from "../config.js";
import { UnderstudyError } from "../errors.js";
import { startCrew } from "../gateway/crew.js";
import { closeMs } from "../gateway/deadlines.js";
import { startGateway } from "../gateway/service.js";
import { createLogger } from "../log.js";
import { serveFrom } from "../process/service.js";
import { port, workerCount } from "./options.js";

/** The process that holds the port ends after those that serve. */
const crewGraceMs = 600;

/** `understudy gateway`: the data plane. */
export function gatewayCommand(): Command {
  return new Command("gateway")
    .description("run the data plane: the HTTP port that stands in front of the primaries")
    .option("--port <port>", "instead of UNDERSTUDY_GATEWAY_PORT; 0: any free one", port)
    .option(
      "--workers <n>",
      "processes that serve the port, instead of UNDERSTUDY_GATEWAY_WORKERS",
      workerCount,
    )
    .action(async (options: { port?: number; workers?: number }) => {
      const loaded = loadConfig();
      const workers = options.workers ?? loaded.gateway.workers;
      const config = {
        ...loaded,
        gatewayPort: options.port ?? loaded.gatewayPort,
        gateway: { ...loaded.gateway, workers },
      };
      if (config.databaseUrl === undefined && config.defaultPrimary === undefined) {
        throw new UnderstudyError(
          "config_invalid",
          "The gateway knows no primary: neither DATABASE_URL nor UNDERSTUDY_DEFAULT_PRIMARY is set",
          { hint: "Set one of them, or run everything with the embedded Postgres: understudy up." },
        );
      }
      const log = createLogger(config, "gateway");
      const deadlineMs = closeMs(config.gateway);
      if (workers === 1) {
        await serveFrom(() => startGateway({ config, log }), log, { deadlineMs });
      } else {
        await serveFrom((ending) => startCrew({ config, log, ending }), log, {
          deadlineMs: deadlineMs + crewGraceMs,
        });
      }
    });
}
