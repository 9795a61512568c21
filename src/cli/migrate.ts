import { Command } from "commander";
import { loadConfig } from "../config.js";
import { createLogger } from "../log.js";
import { startEmbeddedPostgres } from "../store/embedded-postgres.js";
import { migrate } from "../store/migrate.js";

/** `understudy migrate`: brings the database to this version's schema. */
export function migrateCommand(): Command {
  return new Command("migrate")
    .description("bring the database to this version's schema (without DATABASE_URL: the embedded one)")
    .option("--json", "print the names of the applied migrations as JSON")
    .addHelpText(
      "after",
      "\nIt needs no network but the database, and may run any number of times, also at once.",
    )
    .action(async (options: { json?: boolean }) => {
      const config = loadConfig();
      const log = createLogger(config, "migrate");
      const embedded =
        config.databaseUrl === undefined
          ? await startEmbeddedPostgres({ dataDir: config.dataDir, log })
          : undefined;
      try {
        const { applied } = await migrate(embedded?.url ?? config.databaseUrl!, { log });
        if (options.json) process.stdout.write(`${JSON.stringify({ applied })}\n`);
        else if (applied.length === 0)
          process.stdout.write("Nothing to apply: the database is up to date.\n");
        else process.stdout.write(`Applied ${applied.join(", ")}.\n`);
      } finally {
        await embedded?.close();
      }
    });
}
