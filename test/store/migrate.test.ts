import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { migrationsDir } from "../../src/paths.js";
import { bucketOf } from "../../src/stats/sketch.js";
import { assertMigrated, migrate } from "../../src/store/migrate.js";
import { createStore } from "../../src/store/store.js";
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

/** The migrations from one on. */
async function leaveOut(first: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name >= first && name < "a") await rm(join(folder, name), { recursive: true });
  }
}

test("the account's migration waits for a commit under way, which ends", async () => {
  await leaveOut("0017");
  await migrate(database.url, { log, folder });
  await onServer(database.url, async (worker) => {
    await worker.query("BEGIN; SELECT id FROM segments FOR SHARE");
    const migration = migrate(database.url, { log });
    const waiting = "SELECT 1 FROM pg_locks WHERE relation = 'segments'::regclass AND NOT granted";
    await expect.poll(() => query(waiting)).toHaveLength(1);
    await worker.query(
      "UPDATE work SET state = 'done'; INSERT INTO rollup_deltas SELECT * FROM rollup_deltas; COMMIT",
    );
    expect((await migration).applied[0]).toBe("0017_ledger_rollups");
  });
});

test("the account from before it had rollups is taken over", async () => {
  await leaveOut("0017");
  await migrate(database.url, { log, folder });
  const [early, between, late] = [1, 2, 3].map((n) => `00000000-0000-0000-0000-00000000000${n}`);
  // Segments from before the run, one of them given to it afterwards, and one from since; one more was dropped.
  await query(`
    INSERT INTO deployments (name, "primary") VALUES ('digits', '{}');
    INSERT INTO model_versions (deployment_id, role, url, model) VALUES (1, 'candidate', '', '');
    INSERT INTO policies (deployment_id, version, body, sha256) VALUES (1, 1, '{}', '');
    INSERT INTO candidates (deployment_id, name, model_version_id) VALUES (1, 'int8', 1);
    INSERT INTO runs (kind, deployment_id, candidate_id, model_version_id, policy_id, opened_at)
      VALUES ('live', 1, 1, 1, 1, '2026-11-20T12:00:00Z');
    INSERT INTO segments (id, deployment_id, day, gateway_epoch, blob_key, sha256, bytes, captures, first_at, last_at, created_at)
      SELECT id::uuid, 1, '2026-11-20', '${early}', '', '', 1, captures, at, at, at
      FROM (VALUES ('${early}', 2, '2026-11-20T11:00:00Z'::timestamptz), ('${between}', 3, '2026-11-20T11:30:00Z'),
                   ('${late}', 4, '2026-11-20T12:10:00Z')) AS s(id, captures, at);
    INSERT INTO segment_counts (segment_id, minute, deployment_id, captures)
      SELECT id, date_trunc('minute', last_at), 1, captures FROM segments;
    INSERT INTO work (segment_id, run_id, first_row, rows, state)
      SELECT id, 1, 0, captures, 'done' FROM segments WHERE id <> '${early}';
    INSERT INTO dropped_minutes (deployment_id, minute, captures) VALUES (1, '2026-11-01T12:00:00Z', 7);
    INSERT INTO dropped_run_minutes (run_id, minute, assigned) VALUES (1, '2026-11-01T12:00:00Z', 5);
    INSERT INTO rollup_deltas (work_id, run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
      VALUES (1, 1, '2026-11-20T11:30:00Z', '2026-11-20T12:20:00Z', '1', 'dispositions', '{compared}', '{12}');
    INSERT INTO rollups (run_id, axis, level, start, series, primary_version, labels, counts, max)
      SELECT 1, 'captured', level, start::timestamptz, 's', '1', labels::text[], counts::bigint[], max
      FROM (VALUES ('run', 'epoch', '{a,b}', '{4,6}', 9.0), ('day', '2026-11-20', '{a,b}', '{4,6}', 9),
                   ('hour', '2026-11-20T12:00:00Z', '{a,b}', '{4,6}', 9),
                   ('minute', '2026-11-20T12:01:00Z', '{a}', '{1}', 2), ('minute', '2026-11-20T12:09:00Z', '{a,b}', '{3,2}', 9),
                   ('minute', '2026-11-20T12:10:00Z', '{b}', '{4}', 5)) AS r(level, start, labels, counts, max);
    INSERT INTO ledger_counts (epoch, deployment_id, minute, sequence, received, sampled_out, dropped)
      VALUES ('${early}', 1, '2026-11-20T11:00:00Z', 1, 20, 6, '{"buffer_full": 1}'),
             ('${late}', 1, '2026-11-20T11:00:00Z', 1, 3, 0, '{}')`);
  await migrate(database.url, { log });

  const store = createStore(database.url, { poolMax: 2 });
  try {
    for (const during of ["before folding", "after folding"]) {
      const ledger = await store.ledger.read(1, { fromMs: null, toMs: null });
      expect(ledger, during).toMatchObject({
        ...{ received: 23, sampledOut: 6, dropped: { buffer_full: 1 }, captured: 16, balanced: true },
        candidates: { int8: { compared: 12, notReplayed: { not_assigned: 4 } } },
      });
      const morning = {
        fromMs: Date.parse("2026-11-20T11:00:00Z"),
        toMs: Date.parse("2026-11-20T11:01:00Z"),
      };
      expect(await store.ledger.read(1, morning), during).toMatchObject({ received: 23, captured: 2 });
      await store.rollups.compact();
    }
    const of = async (fromMs: number | null, toMs: number | null) =>
      (await store.rollups.summary(1, { fromMs, toMs })).get("s");
    const at = (text: string) => Date.parse(`2026-11-20T${text}:00Z`);
    const counts = (...entries: [string, number][]) => new Map(entries);
    expect(await of(null, null)).toMatchObject({ counts: counts(["a", 4], ["b", 6]), max: 9 });
    expect(await of(at("12:00"), at("12:10"))).toMatchObject({ counts: counts(["a", 4], ["b", 2]), max: 9 });
    expect(await of(at("12:02"), at("12:20"))).toMatchObject({ counts: counts(["a", 3], ["b", 6]), max: 9 });
  } finally {
    await store.close();
  }
});

test("sketches from before their buckets were made wider hold the same values in these", async () => {
  await leaveOut("0019");
  await migrate(database.url, { log, folder });
  const values = [0, 1e-9, 0.013, 0.5, 0.985, 0.995, 1, 1.005, 1.01, 1.02, 2, 2.01, 250, 1e12, Infinity];
  const narrow = (value: number) =>
    value === 0
      ? "zero"
      : value === Infinity
        ? "inf"
        : String(Math.ceil(Math.log(value) / Math.log(1.005 / 0.995)));
  const labels = values.map((value) => `"${narrow(value)}"`);
  const series = ["latency/candidate", "abs/y", "noise/y@[3]", "lag", "output/1"];
  await query(`
    INSERT INTO rollups (run_id, axis, level, start, series, primary_version, labels, counts)
      SELECT 1, 'captured', 'ever', 'epoch', series, '1', '{${labels}}', '{${labels.map(() => 1)}}'
      FROM unnest('{${series}}'::text[]) AS series;
    INSERT INTO rollup_deltas (work_id, run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
      SELECT 1, 1, now(), now(), '1', series, labels, counts FROM rollups`);
  await migrate(database.url, { log });
  // What a process of before would count next.
  const narrowDelta = `
    INSERT INTO rollup_deltas (work_id, run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
    VALUES (1, 1, now(), now(), '1', 'lag', '{-1}', '{1}')`;
  await expect(query(narrowDelta)).rejects.toThrow("work_id");

  const wide = new Map<number, number>();
  for (const value of values) wide.set(bucketOf(value), (wide.get(bucketOf(value)) ?? 0) + 2);
  expect(wide.size).toBeLessThan(new Set(labels).size);
  const store = createStore(database.url, { poolMax: 2 });
  try {
    const found = await store.rollups.summary(1, { fromMs: null, toMs: null });
    for (const name of series.slice(0, -1)) expect(found.get(name)?.sketch, name).toEqual(wide);
    expect(found.get("output/1")!.counts.size).toBe(new Set(labels).size);
  } finally {
    await store.close();
  }
});

test("rollups from before their levels were finer say the same of any range, and their compactors fold no more", async () => {
  await leaveOut("0021");
  await migrate(database.url, { log, folder });
  await query(`
    INSERT INTO deployments (name, "primary") VALUES ('digits', '{}');
    WITH minute AS (SELECT i, to_timestamp(i * 60) AS start FROM generate_series(0, 20 * 1440 - 1, 7) AS i),
         levels AS (VALUES ('minute', '1 minute'), ('ten_minutes', '10 minutes'), ('hour', '1 hour'), ('day', '1 day')),
         row AS (
           SELECT level, date_bin(every::interval, start, 'epoch') AS start, count(*) AS n, max(i) AS max
           FROM minute, levels AS l(level, every) GROUP BY 1, 2
         ), compared AS (
           INSERT INTO rollups (run_id, axis, level, start, series, primary_version, labels, counts, max)
           SELECT 1, 'captured', level, start, series, '1', '{a,b}', ARRAY[n, 2 * n], max
           FROM row, unnest('{s,signatures}'::text[]) AS series
         )
    INSERT INTO ledger_rollups (deployment_id, level, start, labels, counts)
    SELECT 1, level, start, '{received,sampledOut}', ARRAY[n, n] FROM row`);
  await migrate(database.url, { log });

  expect(await query("SELECT DISTINCT series FROM rollups")).toEqual([{ series: "s" }]);
  const foldedByAnOlder = (table: string) =>
    query(`INSERT INTO ${table} SELECT * FROM jsonb_populate_record(NULL::${table},
      (SELECT to_jsonb(r) || '{"level": "ten_minutes"}' FROM ${table} r LIMIT 1))`);
  for (const table of ["rollups", "ledger_rollups"]) {
    await expect(foldedByAnOlder(table)).rejects.toThrow(`${table}_level_check`);
  }
  const store = createStore(database.url, { poolMax: 2 });
  try {
    const ranges = [
      [0, 3],
      [13, 58],
      [59, 305],
      [427, 1441],
      [600, 2873],
      [1440, 2880],
      [5000, 28800],
    ] as const;
    for (const [from, to] of ranges) {
      const range = { fromMs: from * 60_000, toMs: to * 60_000 };
      const n = Math.ceil(to / 7) - Math.ceil(from / 7);
      const max = 7 * (Math.ceil(to / 7) - 1);
      const counts = new Map([
        ["a", n],
        ["b", 2 * n],
      ]);
      const said = new Map([["s", { counts, sketch: new Map(), max }]]);
      expect(await store.rollups.summary(1, range), `${range}`).toEqual(said);
      expect(await store.ledger.read(1, range)).toMatchObject({ received: n, sampledOut: n });
    }
  } finally {
    await store.close();
  }
});

test("sketches from before their buckets were integers hold the same, and older processes commit, fold and read none", async () => {
  await leaveOut("0022");
  await migrate(database.url, { log, folder });
  const values = [0, 1e-9, 0.985, 1, 250, Infinity];
  const before = ["zero", "-1036", "0", "0", "277", "inf"];
  expect(before.slice(1, 5)).toEqual(values.slice(1, 5).map((value) => String(bucketOf(value))));
  const labels = [...new Set(before)];
  const counts = labels.map((label) => before.filter((other) => other === label).length);
  const delta = (series: string) => `
    INSERT INTO rollup_deltas (run_id, captured_minute, judged_minute, primary_version, series, labels, counts, max)
    VALUES (1, now(), now(), '1', '${series}', '{${labels}}', '{${counts}}', 'Infinity')`;
  const names = ["latency/candidate", "abs/y", "noise/y@[3]", "lag", "output/1"];
  for (const name of names) await query(delta(name));
  const rollups = `
    INSERT INTO rollups (run_id, axis, level, start, series, primary_version, labels, counts, max)
    SELECT run_id, 'captured', 'ever', 'epoch', series, '1', labels, counts, max FROM rollup_deltas`;
  await query(rollups);
  await query(`
    INSERT INTO rollups (run_id, axis, level, start, series, primary_version, labels, counts)
    SELECT 2, 'captured', 'ever', 'epoch', 'lag', '1', array_agg(i::text), array_agg(1) FROM generate_series(1, 300) i`);
  const packed = "SELECT pg_column_compression(counts) IS NOT NULL AS packed FROM rollups WHERE run_id = 2";
  expect(await query(packed)).toEqual([{ packed: true }]);
  await migrate(database.url, { log });

  expect(await query(packed)).toEqual([{ packed: false }]);
  const older = {
    commit: delta("lag"),
    fold: "DELETE FROM rollup_deltas RETURNING labels, counts, max",
    read: "SELECT labels, counts, max FROM rollups",
  };
  for (const statement of Object.values(older)) await expect(query(statement)).rejects.toThrow('"max"');
  for (const table of ["rollups", "rollup_deltas"]) {
    for (const keys of ["'{}'", "NULL"]) {
      const asBothOrNone = `UPDATE ${table} SET labels = ${keys}, buckets = ${keys}`;
      await expect(query(asBothOrNone)).rejects.toThrow(`${table}_kind_check`);
    }
  }
  const sketch = new Map<number, number>();
  for (const value of values) sketch.set(bucketOf(value), (sketch.get(bucketOf(value)) ?? 0) + 2);
  const counter = new Map(labels.map((label, i) => [label, 2 * counts[i]!]));
  const store = createStore(database.url, { poolMax: 2 });
  try {
    for (const during of ["before folding", "after folding"]) {
      const found = await store.rollups.summary(1, { fromMs: null, toMs: null });
      for (const name of names.slice(0, -1)) {
        expect(found.get(name), `${name} ${during}`).toEqual({ counts: new Map(), sketch, max: Infinity });
      }
      expect(found.get("output/1")).toEqual({ counts: counter, sketch: new Map(), max: Infinity });
      await store.rollups.compact();
    }
  } finally {
    await store.close();
  }
});
