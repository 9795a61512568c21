import { Command } from "commander";
import { loadConfig } from "../config.js";
import { createLogger } from "../log.js";
import { serveFrom } from "../process/service.js";
import { startStack } from "../up/stack.js";

/** `understudy up`: every process in one terminal, on the embedded default unless told otherwise. */
export function upCommand(): Command {
  return new Command("up")
    .description("run gateway, worker and control plane in this terminal")
    .option("--demo", "add the digits demo: a primary, two candidates, traffic, and a webhook receiver")
    .addHelpText(
      "after",
      `
Without DATABASE_URL a Postgres is kept in the data directory (UNDERSTUDY_DATA_DIR, default .understudy);
without REDIS_URL the queue lives in Postgres, too. When all serves, one line is printed on stdout:
  ready gateway=http://… control=http://…
Ctrl-C ends everything.`,
    )
    .action(async (options: { demo?: boolean }) => {
      const config = loadConfig();
      const log = createLogger(config, "up");
      const start = async (ending: AbortSignal) => {
        const stack = await startStack({ config, log, demo: options.demo === true, ending });
        process.stdout.write(`ready gateway=${stack.ready.gateway} control=${stack.ready.control}\n`);
        return stack;
      };
      // Its children have six seconds each, side by side; the database is closed after them.
      await serveFrom(start, log, { deadlineMs: 9_800 });
    });
}
