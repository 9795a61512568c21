import { Command } from "commander";
import { loadConfig } from "../config.js";
import { UnderstudyError } from "../errors.js";
import { startGateway } from "../gateway/service.js";
import { createLogger } from "../log.js";
import { serve } from "../process/service.js";
import { port } from "./options.js";

/** `understudy gateway`: the data plane. */
export function gatewayCommand(): Command {
  return new Command("gateway")
    .description("run the data plane: the HTTP port that stands in front of the primaries")
    .option("--port <port>", "instead of UNDERSTUDY_GATEWAY_PORT; 0: any free one", port)
    .action(async (options: { port?: number }) => {
      const loaded = loadConfig();
      const config = { ...loaded, gatewayPort: options.port ?? loaded.gatewayPort };
      if (config.databaseUrl === undefined && config.defaultPrimary === undefined) {
        throw new UnderstudyError(
          "config_invalid",
          "The gateway knows no primary: neither DATABASE_URL nor UNDERSTUDY_DEFAULT_PRIMARY is set",
          { hint: "Set one of them, or run everything with the embedded Postgres: understudy up." },
        );
      }
      const log = createLogger(config, "gateway");
      await serve(await startGateway({ config, log }), log);
    });
}
