import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PrismaPg } from "@prisma/adapter-pg";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { migrationsDir, schemaFile } from "../../src/paths.js";
import { findDrift } from "../../src/store/schema-drift.js";

const log = pino({ level: "silent" });
const { url } = inject("testPostgres");
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "understudy-drift-test-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("drift", () => {
  test("the migrations make what the schema describes", async () => {
    expect(await findDrift(url, { log })).toBeNull();
  });

  test.each([
    ["a column", /(model Deployment \{)/, "$1\n  planted String?", 'ADD COLUMN     "planted" TEXT'],
    ["an index", / *@@index\(\[tags.*\n/, "", 'DROP INDEX "captures_tags_idx"'],
    [
      "a default",
      /sampleRate( +)Float( +)@default\(1\)/,
      "sampleRate$1Float$2@default(0.5)",
      "SET DEFAULT 0.5",
    ],
    ["a column type", /firstRow( +)Int/, "firstRow$1BigInt", '"first_row" SET DATA TYPE BIGINT'],
    // What a foreign key does is a "char" column of the catalogue.
    [
      "what a foreign key does",
      /(deployment +Deployment +@relation\(fields: \[deploymentId\], references: \[id\], onDelete: )Cascade/,
      "$1Restrict",
      "ON DELETE RESTRICT",
    ],
  ])("a difference in %s is found, with the SQL that settles it", async (_, from, to, sql) => {
    const original = await readFile(schemaFile, "utf8");
    const planted = original.replace(from, to);
    expect(planted).not.toBe(original);
    const schema = join(folder, "schema.prisma");
    await writeFile(schema, planted);
    expect(await findDrift(url, { log, schema })).toContain(sql);
  });

  test("a table that only the migrations know is found", async () => {
    await cp(migrationsDir, folder, { recursive: true });
    await mkdir(join(folder, "0900_planted"));
    await writeFile(
      join(folder, "0900_planted", "migration.sql"),
      "CREATE TABLE planted (n int PRIMARY KEY);",
    );
    expect(await findDrift(url, { log, folder })).toContain('DROP TABLE "planted"');
  });

  test('Prisma\'s own adapter still dies on "char" columns: when this fails, drop `disguiseChar`', async () => {
    const adapter = await new PrismaPg(url).connect();
    const query = { sql: "SELECT 'a'::\"char\" AS c", args: [], argTypes: [] };
    await expect(adapter.queryRaw(query)).rejects.toMatchObject({
      cause: { kind: "UnsupportedNativeDataType" },
    });
    await adapter.dispose();
  });
});
