import type { PrismaClient } from "./client.js";

/** The tables that are partitioned by the day of the capture. */
export const partitionedTables = ["captures", "outcomes", "output_diffs"] as const;

const dayMs = 86_400_000;

/** Name of a table's partition for one UTC day, `2026-11-22` → `captures_20261122`. */
export function partitionName(table: string, day: string): string {
  return `${table}_${day.replaceAll("-", "")}`;
}

/** The UTC days from yesterday to `daysAhead` days after today. */
export function partitionDays(nowMs: number, daysAhead: number): string[] {
  return Array.from({ length: daysAhead + 2 }, (_, i) =>
    new Date(nowMs + (i - 1) * dayMs).toISOString().slice(0, 10),
  );
}

/**
 * Makes the missing partitions from yesterday to `daysAhead` days ahead, and moves rows that had gone to a default
 * partition into them. Any number of processes may do this at once, under traffic.
 *
 * @returns the names of the partitions that were made.
 */
export async function ensurePartitions(
  prisma: PrismaClient,
  options: { daysAhead: number; nowMs?: number },
): Promise<string[]> {
  const wanted = partitionDays(options.nowMs ?? Date.now(), options.daysAhead).flatMap((day) =>
    partitionedTables.map((table) => ({ table, day, name: partitionName(table, day) })),
  );
  const attached = await prisma.$queryRaw<{ name: string }[]>`
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relispartition AND n.nspname = current_schema()`;
  const existing = new Set(attached.map((row) => row.name));
  const made: string[] = [];
  for (const { table, day, name } of wanted) {
    if (existing.has(name)) continue;
    await prisma.$executeRawUnsafe(attachStatement(table, day, name));
    made.push(name);
  }
  return made;
}

/**
 * One statement, so one transaction without a client-side one.
 *
 * Readers go on meanwhile, since a table is attached: creating a partition in place locks its parent against them.
 * Writers wait for these few milliseconds, or a row already on its way to the default partition would be refused. The
 * default partition is locked because it is searched for rows of that day. Whoever waits more than 5 s for these locks
 * gives up, or all others would queue up behind the wait.
 */
function attachStatement(table: string, day: string, name: string): string {
  const next = new Date(Date.parse(day) + dayMs).toISOString().slice(0, 10);
  return `DO $$
BEGIN
  PERFORM set_config('lock_timeout', '5s', true);
  PERFORM pg_advisory_xact_lock(hashtext('understudy'), hashtext('partitions'));
  IF to_regclass('"${name}"') IS NOT NULL THEN
    RETURN;
  END IF;
  CREATE TABLE "${name}" (LIKE "${table}" INCLUDING ALL);
  LOCK TABLE ONLY "${table}" IN SHARE ROW EXCLUSIVE MODE;
  LOCK TABLE "${table}_default" IN ACCESS EXCLUSIVE MODE;
  WITH moved AS (DELETE FROM "${table}_default" WHERE "day" = '${day}' RETURNING *)
    INSERT INTO "${name}" SELECT * FROM moved;
  ALTER TABLE "${table}" ATTACH PARTITION "${name}" FOR VALUES FROM ('${day}') TO ('${next}');
END $$`;
}
