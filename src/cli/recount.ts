import { Command } from "commander";
import { createBlobStore } from "../blobs/blobs.js";
import { loadConfig } from "../config.js";
import { createLogger } from "../log.js";
import { type Recount, recount } from "../recount/recount.js";
import { startEmbeddedPostgres } from "../store/embedded-postgres.js";
import { assertMigrated } from "../store/migrate.js";
import { snapshotMs } from "../store/recount.js";
import { createStore } from "../store/store.js";
import { table } from "./table.js";

/** `understudy recount`: counts a deployment's ledger anew. */
export function recountCommand(): Command {
  return new Command("recount")
    .description("count a deployment's ledger anew, from its segments, outcomes and spool, and compare")
    .argument("<deployment>", "name of the deployment")
    .option("--spool <dir...>", "data folders of gateways (default: UNDERSTUDY_DATA_DIR)")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExits with 0 when the ledger is confirmed, 1 when it differs, 2 when it cannot be counted.\n" +
        "It reads Postgres and the blob store by itself: DATABASE_URL, UNDERSTUDY_BLOBS. Without DATABASE_URL it\n" +
        "starts the embedded Postgres, which `understudy up` must not be using.",
    )
    .action(async (deployment: string, options: { spool?: string[]; json?: boolean }) => {
      const config = loadConfig();
      const log = createLogger(config, "recount");
      const embedded =
        config.databaseUrl === undefined
          ? await startEmbeddedPostgres({ dataDir: config.dataDir, log })
          : undefined;
      const databaseUrl = embedded?.url ?? config.databaseUrl!;
      try {
        await assertMigrated(databaseUrl);
        const store = createStore(databaseUrl, { poolMax: 2, statementMs: snapshotMs });
        try {
          const { id } = await store.registry.getDeployment(deployment);
          const blobs = await createBlobStore(config);
          const dataDirs = options.spool ?? [config.dataDir];
          const counted = await recount({ reader: store.recount, blobs, dataDirs }, id);
          const equal = counted.differences.length === 0;
          process.stdout.write(
            options.json ? `${JSON.stringify({ deployment, equal, ...counted })}\n` : textOf(counted),
          );
          process.exitCode = equal ? 0 : 1;
        } finally {
          await store.close();
        }
      } finally {
        await embedded?.close();
      }
    });
}

function textOf({
  days,
  segments,
  captured,
  outcomes,
  spooled,
  spoolsElsewhere,
  differences,
}: Recount): string {
  const counted = `${captured} captures in ${segments} segments of ${days} days, ${outcomes} outcomes, ${spooled} in the spool`;
  const elsewhere = spoolsElsewhere
    .map((epoch) => `not counted: the spool of gateway epoch ${epoch}\n`)
    .join("");
  if (differences.length === 0) return `${counted}\n${elsewhere}the ledger is confirmed\n`;
  const rows = differences.map(({ what, ledger, counted, why = "" }) => [what, ledger, counted, why]);
  return `${counted}\n${elsewhere}${table(["differs", "ledger", "counted", "why"], rows)}\n`;
}
