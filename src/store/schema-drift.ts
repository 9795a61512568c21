import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Client } from "pg";
import type { Logger } from "../log.js";
import { migrationsDir, schemaFile } from "../paths.js";
import { migrate } from "./migrate.js";
import { inSchemaTransaction, unreachable } from "./schema-connection.js";

/**
 * Compares what the migrations make with what the Prisma schema describes.
 *
 * @param serverUrl a Postgres whose role may create databases; one is made for this and removed.
 * @returns the SQL that would bring the migrated database to the schema; null when they agree.
 * @throws UnderstudyError `database_unreachable`, `migration_failed`.
 */
export async function findDrift(
  serverUrl: string,
  options: { log: Logger; schema?: string; folder?: string },
): Promise<string | null> {
  const { log, schema = schemaFile, folder = migrationsDir } = options;
  const name = `understudy_drift_${randomBytes(4).toString("hex")}`;
  const client = new Client({ connectionString: serverUrl, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  await client.connect().catch((error: unknown) => {
    throw unreachable(serverUrl, error);
  });
  try {
    await client.query(`CREATE DATABASE "${name}" TEMPLATE template0`);
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    await migrate(url.href, { log, folder });
    return await diffLive(url.href, schema);
  } finally {
    await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    await client.end();
  }
}

async function diffLive(databaseUrl: string, schema: string): Promise<string | null> {
  const files = [{ path: schema, content: await readFile(schema, "utf8") }];
  const result = await inSchemaTransaction(databaseUrl, [schema, files[0]!.content], ({ engine }) =>
    engine.diff({
      from: { tag: "schemaDatasource", files, configDir: dirname(schema) },
      to: { tag: "schemaDatamodel", files },
      script: true,
      exitCode: true,
      filters: { externalTables: [], externalEnums: [] },
    }),
  );
  const differs = 2;
  return result.exitCode === differs ? (result.stdout ?? "") : null;
}
