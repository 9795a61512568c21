import { readFile } from "node:fs/promises";
import { Client } from "pg";
import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { migrationsDir, schemaFile } from "../paths.js";
import { createPrisma } from "./client.js";
import { readMigrations } from "./migrations.js";
import { ensurePartitions } from "./partitions.js";
import { inSchemaTransaction, reasonOf, unreachable } from "./schema-connection.js";

/** How many days ahead of today have partitions of their own. */
export const partitionDaysAhead = 7;

/**
 * Brings a database to the newest migration, and makes the partitions of the days around today. Needs no network but
 * the database. Two migrators at once are safe: the second waits for the first and finds nothing left to do. All
 * pending migrations are applied, or none.
 *
 * @throws UnderstudyError `database_unreachable`, `migration_failed`.
 */
export async function migrate(
  databaseUrl: string,
  options: { log: Logger; folder?: string },
): Promise<{ applied: string[] }> {
  const { log, folder = migrationsDir } = options;
  const migrationsList = await readMigrations(folder);
  const schema = [schemaFile, await readFile(schemaFile, "utf8")] as const;
  let applied: string[];
  try {
    applied = await inSchemaTransaction(databaseUrl, schema, async ({ engine, execute }) => {
      await execute("SET LOCAL lock_timeout = '60s'");
      await execute("SELECT pg_advisory_xact_lock(hashtext('understudy'), hashtext('migrate'))");
      const result = await engine.applyMigrations({
        migrationsList,
        filters: { externalTables: [], externalEnums: [] },
      });
      return result.appliedMigrationNames;
    });
    const prisma = createPrisma(databaseUrl, { poolMax: 1 });
    try {
      await ensurePartitions(prisma, { daysAhead: partitionDaysAhead });
    } catch (error) {
      // Nothing is lost without them: rows go to the default partitions, and move when they are made.
      if (!/lock timeout/.test(messageOf(error))) throw error;
      log.warn("partitions were not made, since a long transaction holds the tables; they will be, daily");
    } finally {
      await prisma.$disconnect();
    }
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    throw new UnderstudyError("migration_failed", `The migration failed: ${reasonOf(error)}`, {
      hint: "What failed was undone. Correct the cause and run `understudy migrate` again.",
      cause: error,
    });
  }
  for (const name of applied) log.info({ migration: name }, "migration applied");
  return { applied };
}

/**
 * Checks that every migration of this version has been applied; a newer database is accepted, so that processes can
 * be upgraded one by one.
 *
 * @throws UnderstudyError `database_unreachable`, or `migration_failed` that names the command to run.
 */
export async function assertMigrated(databaseUrl: string): Promise<void> {
  const { migrationDirectories } = await readMigrations(migrationsDir);
  const done = new Set(await appliedMigrations(databaseUrl));
  const missing = migrationDirectories.map((directory) => directory.path).filter((name) => !done.has(name));
  if (missing.length === 0) return;
  throw new UnderstudyError("migration_failed", `The database lacks migrations: ${missing.join(", ")}.`, {
    hint: "Run `understudy migrate` with the same DATABASE_URL.",
    details: { missing },
  });
}

async function appliedMigrations(databaseUrl: string): Promise<string[]> {
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  try {
    await client.connect();
  } catch (error) {
    throw unreachable(databaseUrl, error);
  }
  try {
    const { rows } = await client.query<{ migration_name: string }>(
      "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL",
    );
    return rows.map((row) => row.migration_name);
  } catch (error) {
    const undefinedTable = "42P01";
    if ((error as { code?: string }).code === undefinedTable) return [];
    throw error;
  } finally {
    await client.end();
  }
}
