import { dayOf } from "../ids.js";
import type { PrismaClient } from "./client.js";
import { partitionedTables, partitionName } from "./partitions.js";
import { keepFromSealing } from "./sealing.js";
import { column } from "./sql.js";

/** A segment of a day that is to go, with the blobs that go with it. */
export interface OldSegment {
  id: string;
  blobKey: string;
  /** Its works: what any of their leases may have left lies under keys that hold its number. */
  works: { workId: bigint; deploymentId: number; day: string; lease: number }[];
}

export interface OldBody {
  deploymentId: number;
  sha256: string;
}

/** How long captures are kept, and how far that has come. Days are UTC, `YYYY-MM-DD`. */
export interface RetentionStore {
  /**
   * Days with anything left, all of whose moments are older than `days` and two hours, oldest first. By the database's
   * clock alone, and those two hours are for it: one that is stepped by an hour takes nothing early. Days that a
   * selection has captures of are kept, whole, unless a gate made it for itself.
   */
  due(days: number): Promise<string[]>;
  /**
   * Calls `act` while no selection is sealed, unless one has captures of the day by now.
   * @returns whether it was called
   */
  whileUnpinned(day: string, act: () => Promise<void>): Promise<boolean>;
  segments(day: string, limit: number): Promise<OldSegment[]>;
  /**
   * Takes segments out of the catalogue with their works. What they held of the account stays, by the minute; captures
   * whose work is still open count as expired.
   */
  dropSegments(day: string, ids: readonly string[]): Promise<void>;
  bodies(day: string, limit: number): Promise<OldBody[]>;
  dropBodies(day: string, bodies: readonly OldBody[]): Promise<void>;
  /** Drops the partitions of a day without segments, and rows of it elsewhere. */
  dropDay(day: string): Promise<void>;
  /** Captures of a deployment that were dropped, and the oldest day with any left; null: there is none. */
  state(deploymentId: number): Promise<{ droppedCaptures: number; keptFrom: string | null }>;
}

/** Dropping a day, with all its blobs, may take so long. */
const dropMs = 3_600_000;

export function createRetentionStore(prisma: PrismaClient): RetentionStore {
  return {
    async due(days) {
      const rows = await prisma.$queryRaw<{ day: Date }[]>`
        WITH had AS (
          SELECT day FROM segments
          UNION SELECT day FROM bodies
          UNION SELECT day FROM captures_default
          UNION SELECT day FROM outcomes_default
          UNION SELECT day FROM output_diffs_default
          UNION SELECT to_date(substring(c.relname FROM '[0-9]{8}$'), 'YYYYMMDD')
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = ANY (${column(partitionedTables, (table) => table)}::regclass[])
              AND c.relname ~ '_[0-9]{8}$'
        )
        SELECT day FROM had
        WHERE (day + 1 + ${days}::int)::timestamp + interval '2 hours' <= now() AT TIME ZONE 'UTC'
          AND NOT EXISTS (
            SELECT FROM selections s JOIN selection_members m ON m.selection_id = s.id
            WHERE m.day = had.day AND NOT s.for_gate)
        ORDER BY day`;
      return rows.map(({ day }) => dayOf(day.getTime()));
    },

    whileUnpinned: (day, act) =>
      prisma.$transaction(
        async (tx) => {
          await keepFromSealing(tx);
          const [row] = await tx.$queryRaw<{ pinned: boolean }[]>`
            SELECT EXISTS (SELECT FROM selection_members m WHERE m.day = ${day}::date) AS pinned`;
          if (row!.pinned) return false;
          await act();
          return true;
        },
        { timeout: dropMs },
      ),

    async segments(day, limit) {
      const rows = await prisma.$queryRaw<SegmentColumns[]>`
        SELECT s.id::text AS id, s.blob_key AS "blobKey", s.deployment_id AS "deploymentId",
               coalesce(array_agg(w.id::text) FILTER (WHERE w.lease > 0), '{}') AS "workIds",
               coalesce(array_agg(w.lease) FILTER (WHERE w.lease > 0), '{}') AS leases
        FROM (SELECT * FROM segments WHERE day = ${day}::date ORDER BY id LIMIT ${limit}) s
        LEFT JOIN work w ON w.segment_id = s.id
        GROUP BY s.id, s.blob_key, s.deployment_id`;
      return rows.map(({ id, blobKey, deploymentId, workIds, leases }) => ({
        id,
        blobKey,
        works: workIds.map((workId, i) => ({ workId: BigInt(workId), deploymentId, day, lease: leases[i]! })),
      }));
    },

    async dropSegments(day, ids) {
      await prisma.$executeRaw`
        WITH gone AS (
          SELECT id, deployment_id FROM segments
          WHERE day = ${day}::date AND id = ANY (${column(ids, (id) => id)}::uuid[])
        ), unfinished AS (
          SELECT w.id, w.run_id, w.segment_id, w.first_row, w.rows, w.row_list FROM work w JOIN gone g ON g.id = w.segment_id
          WHERE w.state IN ('pending', 'leased')
          FOR UPDATE OF w
        ), expired AS (
          INSERT INTO rollup_deltas (run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
          SELECT u.run_id, date_trunc('minute', c.received_at), date_trunc('minute', now()), c.primary_version,
                 'dispositions', ARRAY['expired'], ARRAY[count(*)]
          FROM unfinished u JOIN captures c ON c.day = ${day}::date AND c.segment_id = u.segment_id
          WHERE c."row" >= u.first_row AND c."row" < u.first_row + u.rows
            AND (u.row_list IS NULL OR c."row" = ANY (u.row_list))
          GROUP BY 1, 2, 3, 4
        ), unselected AS (
          DELETE FROM selection_members m USING selections s
          WHERE s.id = m.selection_id AND s.for_gate AND m.segment_id IN (SELECT id FROM gone)
        ), minutes AS (
          INSERT INTO dropped_minutes AS old (deployment_id, minute, captures)
          SELECT c.deployment_id, c.minute, sum(c.captures)
          FROM gone g JOIN segment_counts c ON c.segment_id = g.id
          GROUP BY 1, 2
          ON CONFLICT (deployment_id, minute) DO UPDATE SET captures = old.captures + excluded.captures
        ), assigned AS (
          INSERT INTO dropped_run_minutes AS old (run_id, minute, assigned)
          SELECT w.run_id, c.minute, sum(c.captures)
          FROM (SELECT DISTINCT run_id, segment_id FROM work WHERE segment_id IN (SELECT id FROM gone)) w
          JOIN segment_counts c ON c.segment_id = w.segment_id
          GROUP BY 1, 2
          ON CONFLICT (run_id, minute) DO UPDATE SET assigned = old.assigned + excluded.assigned
        )
        DELETE FROM segments WHERE id IN (SELECT id FROM gone)`;
    },

    async bodies(day, limit) {
      return prisma.$queryRaw<OldBody[]>`
        SELECT deployment_id AS "deploymentId", sha256 FROM bodies WHERE day = ${day}::date LIMIT ${limit}`;
    },

    async dropBodies(day, bodies) {
      await prisma.$executeRaw`
        DELETE FROM bodies b
        USING unnest(
          ${column(bodies, (body) => body.deploymentId)}::int[],
          ${column(bodies, (body) => body.sha256)}::text[]
        ) AS gone(deployment_id, sha256)
        WHERE b.day = ${day}::date AND b.deployment_id = gone.deployment_id AND b.sha256 = gone.sha256`;
    },

    async dropDay(day) {
      for (const table of partitionedTables) {
        await prisma.$executeRawUnsafe(dropStatement(table, day));
      }
    },

    async state(deploymentId) {
      const [row] = await prisma.$queryRaw<{ droppedCaptures: number; keptFrom: Date | null }[]>`
        SELECT (SELECT coalesce(sum(captures), 0)::float8 FROM dropped_minutes
                 WHERE deployment_id = ${deploymentId}) AS "droppedCaptures",
               (SELECT min(day) FROM segments WHERE deployment_id = ${deploymentId}) AS "keptFrom"`;
      const { droppedCaptures, keptFrom } = row!;
      return { droppedCaptures, keptFrom: keptFrom && dayOf(keptFrom.getTime()) };
    },
  };
}

interface SegmentColumns {
  id: string;
  blobKey: string;
  deploymentId: number;
  workIds: string[];
  leases: number[];
}

/**
 * Detaching locks the table against all others, for a moment: whoever waits more than 5 s for that gives up, and the
 * next turn tries again. A day that had no partition of its own lies in the default one.
 */
function dropStatement(table: string, day: string): string {
  const name = partitionName(table, day);
  return `DO $$
BEGIN
  PERFORM set_config('lock_timeout', '5s', true);
  PERFORM pg_advisory_xact_lock(hashtext('understudy'), hashtext('partitions'));
  IF to_regclass('"${name}"') IS NOT NULL THEN
    ALTER TABLE "${table}" DETACH PARTITION "${name}";
    DROP TABLE "${name}";
  END IF;
  DELETE FROM "${table}_default" WHERE "day" = '${day}';
END $$`;
}
