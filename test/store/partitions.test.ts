import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPrisma, type PrismaClient } from "../../src/store/client.js";
import {
  ensurePartitions,
  partitionDays,
  partitionedTables,
  partitionName,
} from "../../src/store/partitions.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { onServer } from "../support/postgres.js";

let database: TestDatabase;
let prisma: PrismaClient;

beforeAll(async () => {
  database = await createTestDatabase();
  prisma = createPrisma(database.url, { poolMax: 4 });
});

afterAll(async () => {
  await prisma.$disconnect();
  await database.drop();
});

const query = async (sql: string) => (await onServer(database.url, (client) => client.query(sql))).rows;

const insertCapture = (day: string, id: string) =>
  query(`INSERT INTO captures (day, id, deployment_id, segment_id, row, received_at, transport, primary_version,
      status, primary_ms, request_bytes, response_bytes, sample)
    VALUES ('${day}', '${id}', 1, gen_random_uuid(), 0, '${day}T12:00:00Z', 'http-json', '1', 200, 1, 1, 1, 'base')`);

const placeOf = async (id: string) =>
  (await query(`SELECT tableoid::regclass::text AS place FROM captures WHERE id = '${id}'`))[0]?.place;

const noon = (day: string) => Date.parse(`${day}T12:00:00Z`);

describe("days", () => {
  test.each([
    ["2026-11-22T00:00:00.000Z", 0, ["2026-11-21", "2026-11-22"]],
    ["2026-11-22T23:59:59.999Z", 1, ["2026-11-21", "2026-11-22", "2026-11-23"]],
    ["2028-02-29T12:00:00.000Z", 1, ["2028-02-28", "2028-02-29", "2028-03-01"]],
    ["2027-01-01T00:30:00.000Z", 0, ["2026-12-31", "2027-01-01"]],
  ])("%s and %i ahead", (now, daysAhead, days) => {
    expect(partitionDays(Date.parse(now), daysAhead)).toEqual(days);
  });
});

describe("partitions", () => {
  test("migrating makes those of the days around today", async () => {
    const today = new Date().toISOString().slice(0, 10);
    for (const table of partitionedTables) {
      expect(await query(`SELECT to_regclass('${partitionName(table, today)}') AS name`)).toEqual([
        { name: partitionName(table, today) },
      ]);
    }
  });

  test("missing ones are made once, for every table", async () => {
    const options = { daysAhead: 1, nowMs: noon("2031-03-10") };
    const made = await ensurePartitions(prisma, options);
    expect(made).toHaveLength(3 * partitionedTables.length);
    expect(made).toContain("outcomes_20310311");
    expect(await ensurePartitions(prisma, options)).toEqual([]);
  });

  test("a row of a day without a partition waits in the default one, and moves when there is one", async () => {
    const [early, late] = ["0197a000-0000-7000-8000-000000000001", "0197a000-0000-7000-8000-000000000002"];
    await insertCapture("2032-05-05", early);
    await insertCapture("2032-05-09", late);
    expect(await placeOf(early)).toBe("captures_default");

    await ensurePartitions(prisma, { daysAhead: 0, nowMs: noon("2032-05-05") });
    expect(await placeOf(early)).toBe("captures_20320505");
    expect(await placeOf(late)).toBe("captures_default");
    const indexes = await query(
      `SELECT count(*)::int AS n FROM pg_indexes WHERE tablename = 'captures_20320505'`,
    );
    const parents = await query(`SELECT count(*)::int AS n FROM pg_indexes WHERE tablename = 'captures'`);
    expect(indexes).toEqual(parents);
  });

  test("many at once, under writes, lose nothing and do not fail", async () => {
    const ids = Array.from(
      { length: 60 },
      (_, i) => `0197b000-0000-7000-8000-${String(i).padStart(12, "0")}`,
    );
    const options = { daysAhead: 2, nowMs: noon("2033-07-01") };
    const days = partitionDays(options.nowMs, options.daysAhead);
    const writes = ids.map((id, i) => insertCapture(days[i % days.length]!, id));
    const makers = Array.from({ length: 3 }, () => ensurePartitions(prisma, options));
    await Promise.all([...writes, ...makers]);
    const places = await query(`SELECT tableoid::regclass::text AS place, count(*)::int AS n FROM captures
      WHERE day BETWEEN '${days[0]}' AND '${days.at(-1)}' GROUP BY 1 ORDER BY 1`);
    expect(places).toEqual(days.map((day) => ({ place: partitionName("captures", day), n: 15 })));
  });

  test("a table in use by a long transaction is given up on; the next try makes it", async () => {
    await onServer(database.url, async (other) => {
      await other.query("BEGIN; SELECT count(*) FROM output_diffs_default");
      const attempt = ensurePartitions(prisma, { daysAhead: 0, nowMs: noon("2034-01-01") });
      await expect(attempt).rejects.toThrow(/lock timeout/);
      await other.query("COMMIT");
    });
    expect(await query("SELECT to_regclass('output_diffs_20340101') AS name")).toEqual([{ name: null }]);
    expect(await ensurePartitions(prisma, { daysAhead: 0, nowMs: noon("2034-01-01") })).toContain(
      "output_diffs_20340101",
    );
  });
});

test("times are read and written in UTC, whatever zone the server prefers", async () => {
  await query(
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Kolkata'); END $$`,
  );
  const other = createPrisma(database.url, { poolMax: 1 });
  try {
    const at = new Date("2026-11-22T18:30:00.123Z");
    const { createdAt } = await other.deployment.create({
      data: { name: "zones", primary: {}, createdAt: at },
    });
    expect(createdAt).toEqual(at);
    expect(
      await query(`SELECT extract(epoch FROM created_at)::float8 * 1000 AS ms FROM deployments`),
    ).toEqual([{ ms: at.getTime() }]);
  } finally {
    await other.$disconnect();
  }
});
