// Main script of `npm run drift`: exits 1, with the missing SQL, when the migrations and schema.prisma disagree.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../config.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { createLogger } from "../log.js";
import { startEmbeddedPostgres } from "./embedded-postgres.js";
import { findDrift } from "./schema-drift.js";

async function main(): Promise<number> {
  const config = loadConfig();
  const log = createLogger({ logLevel: "warn" }, "drift");
  let sql: string | null;
  if (config.databaseUrl !== undefined) {
    sql = await findDrift(config.databaseUrl, { log });
  } else {
    const dataDir = await mkdtemp(join(tmpdir(), "understudy-drift-"));
    try {
      const server = await startEmbeddedPostgres({ dataDir, log });
      sql = await findDrift(server.url, { log }).finally(() => server.close());
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  }
  if (sql === null) {
    process.stderr.write("The migrations make what schema.prisma describes.\n");
    return 0;
  }
  process.stderr.write("The migrations lack what schema.prisma describes. Add a migration with:\n");
  process.stdout.write(sql);
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`error: ${messageOf(error)}\n`);
  if (error instanceof UnderstudyError && error.hint) process.stderr.write(`${error.hint}\n`);
  process.exitCode = 2;
}
