import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { migrationsDir } from "../../src/paths.js";
import { assertMigrated, migrate } from "../../src/store/migrate.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { onServer } from "../support/postgres.js";

const log = pino({ level: "silent" });
let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  folder = await mkdtemp(join(tmpdir(), "understudy-migrations-"));
  await cp(migrationsDir, folder, { recursive: true });
});

afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const query = async (sql: string) => (await onServer(database.url, (client) => client.query(sql))).rows;

async function addMigration(name: string, sql: string): Promise<void> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, "migration.sql"), sql);
}

describe("migrate", () => {
  test("applies everything once, then nothing", async () => {
    await expect(assertMigrated(database.url)).rejects.toMatchObject({
      code: "migration_failed",
      message: expect.stringContaining("0001_initial"),
      hint: expect.stringContaining("understudy migrate"),
    });
    const first = await migrate(database.url, { log });
    expect(first.applied[0]).toBe("0001_initial");
    await expect(migrate(database.url, { log })).resolves.toEqual({ applied: [] });
    await assertMigrated(database.url);
  });

  test("four migrators at once: one applies, all succeed", async () => {
    const results = await Promise.all(Array.from({ length: 4 }, () => migrate(database.url, { log })));
    expect(results.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
    const records = await query("SELECT migration_name FROM _prisma_migrations");
    expect(records).toHaveLength(new Set(records.map((row) => row.migration_name)).size);
  });

  test("applies only what is new, with semicolons in function bodies, texts and comments", async () => {
    await migrate(database.url, { log, folder });
    await addMigration(
      "0900_more",
      `CREATE TABLE more (word text DEFAULT 'a;b'); -- one; two
       CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN n := n * 2; RETURN n; END $$;
       INSERT INTO more DEFAULT VALUES;`,
    );
    await expect(migrate(database.url, { log, folder })).resolves.toEqual({ applied: ["0900_more"] });
    expect(await query("SELECT word, twice(21) FROM more")).toEqual([{ word: "a;b", twice: 42 }]);
  });

  test("a failing migration names the fault, leaves nothing behind, and does not bar the next try", async () => {
    await addMigration("0900_good", "CREATE TABLE good (n int);");
    await addMigration("0901_bad", "CREATE TABLE half (n int); SELECT no_such_column FROM half;");
    await expect(migrate(database.url, { log, folder })).rejects.toMatchObject({
      code: "migration_failed",
      message: expect.stringContaining("no_such_column"),
    });
    const tables =
      "SELECT to_regclass('half') AS half, to_regclass('good') AS good, to_regclass('runs') AS runs";
    expect(await query(tables)).toEqual([{ half: null, good: null, runs: null }]);

    await writeFile(join(folder, "0901_bad", "migration.sql"), "CREATE TABLE half (n int);");
    const { applied } = await migrate(database.url, { log, folder });
    expect(applied.slice(-2)).toEqual(["0900_good", "0901_bad"]);
  });

  test("waits while another migrator works", async () => {
    await onServer(database.url, async (other) => {
      await other.query("BEGIN; SELECT pg_advisory_xact_lock(hashtext('understudy'), hashtext('migrate'))");
      const migration = migrate(database.url, { log });
      const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
      await expect.poll(() => query(waiting)).toHaveLength(1);
      expect(await query("SELECT to_regclass('runs') AS runs")).toEqual([{ runs: null }]);
      await other.query("COMMIT");
      expect((await migration).applied[0]).toBe("0001_initial");
    });
  });

  test.each([
    ["nothing listens there", (url: URL) => Object.assign(url, { port: "1" })],
    ["there is no such role", (url: URL) => Object.assign(url, { username: "nobody", password: "wrong" })],
    ["there is no such database", (url: URL) => Object.assign(url, { pathname: "/no_such_database" })],
  ])(
    "a database that cannot be reached, since %s, is a named error without the password",
    async (_, change) => {
      const url = change(new URL(database.url)).href;
      for (const attempt of [() => migrate(url, { log }), () => assertMigrated(url)]) {
        const error = await attempt().catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          code: "database_unreachable",
          hint: expect.stringContaining("DATABASE_URL"),
        });
        expect((error as Error).message).not.toContain(new URL(url).password);
      }
    },
  );
});
