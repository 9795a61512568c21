import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { Rollups } from "./groups.js";
import { wholeMinutes } from "./minutes.js";
import type { SeriesCounts } from "./types.js";

/** Deltas folded by one statement. */
const foldMax = 2000;

/** Counts of a run's comparisons: the folded rollups, and the deltas that wait for the compactor, in one snapshot. */
export function createRollups(prisma: PrismaClient): Rollups {
  async function read(runId: number, during: Prisma.Sql): Promise<Map<string, SeriesCounts>> {
    const rows = await prisma.$queryRaw<{ series: string; label: string; n: number; max: number | null }[]>`
      SELECT series, label, sum(n)::float8 AS n, max(max) AS max
      FROM (
        SELECT series, labels, counts, max FROM rollups WHERE run_id = ${runId} AND ${during}
        UNION ALL
        SELECT series, labels, counts, max FROM rollup_deltas WHERE run_id = ${runId} AND ${during}
      ) AS part, unnest(labels, counts) AS cell(label, n)
      GROUP BY series, label`;
    const bySeries = new Map<string, SeriesCounts>();
    for (const { series, label, n, max } of rows) {
      const found = bySeries.get(series) ?? { counts: new Map(), max: null };
      found.counts.set(label, n);
      if (max !== null) found.max = Math.max(found.max ?? Number.NEGATIVE_INFINITY, max);
      bySeries.set(series, found);
    }
    return bySeries;
  }

  return {
    summary(runId, range) {
      const { from, to } = wholeMinutes(range);
      return read(
        runId,
        Prisma.sql`captured_minute >= ${from}::timestamptz AND captured_minute < ${to}::timestamptz`,
      );
    },

    window(runId, sinceMs) {
      const { from } = wholeMinutes({ fromMs: sinceMs, toMs: null });
      return read(runId, Prisma.sql`judged_minute >= ${from}::timestamptz`);
    },

    async compact() {
      for (let folded = 0; ; ) {
        const [row] = await prisma.$queryRaw<{ taken: number }[]>(foldStatement);
        const taken = row?.taken ?? 0;
        folded += taken;
        if (taken < foldMax) return folded;
      }
    },
  };
}

/**
 * Deltas leave in the statement that adds them, so none is folded twice and none that is appended meanwhile is lost.
 * The sum is made in DO UPDATE, from the row as it is once locked, not as the snapshot had it: right even if another
 * compactor has just finished. The lock only keeps two from working at a time, where they might deadlock.
 */
const foldStatement = Prisma.sql`
  WITH guard AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtext('understudy'), hashtext('compact')) AS mine
  ), taken AS (
    DELETE FROM rollup_deltas
    WHERE id IN (SELECT id FROM rollup_deltas WHERE (SELECT mine FROM guard) ORDER BY id LIMIT ${foldMax})
    RETURNING run_id, captured_minute, judged_minute, primary_version, series, labels, counts, max
  ), cell AS (
    SELECT run_id, captured_minute, judged_minute, primary_version, series, label, sum(n)::bigint AS n, max(max) AS max
    FROM taken, unnest(labels, counts) AS cell(label, n)
    GROUP BY 1, 2, 3, 4, 5, 6
  ), folded AS (
    INSERT INTO rollups AS old (run_id, captured_minute, judged_minute, primary_version, series, labels, counts, max)
    SELECT run_id, captured_minute, judged_minute, primary_version, series, array_agg(label), array_agg(n), max(max)
    FROM cell
    GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (run_id, captured_minute, judged_minute, primary_version, series) DO UPDATE
    SET (labels, counts, max) = (
      SELECT array_agg(label), array_agg(n), greatest(old.max, excluded.max)
      FROM (
        SELECT label, sum(n)::bigint AS n
        FROM (
          SELECT * FROM unnest(old.labels, old.counts) AS a(label, n)
          UNION ALL
          SELECT * FROM unnest(excluded.labels, excluded.counts) AS b(label, n)
        ) AS both_sides
        GROUP BY label
      ) AS summed
    )
  )
  SELECT count(*)::int AS taken FROM taken`;
