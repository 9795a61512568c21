import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { Rollups } from "./groups.js";
import { foldLedgerStatement } from "./ledger-rollups.js";
import { foldMax, foldStatement, isRolledUp } from "./rollup-fold.js";
import { dropFineRollups, readHorizons } from "./rollup-horizons.js";
import { countedSpans, type Spans, spanRows, spansOf } from "./rollup-spans.js";
import { timeOrEdge } from "./sql.js";
import type { SeriesCounts, TimeRange } from "./types.js";

type Axis = "captured" | "judged";

/** Counts of a run's comparisons: the folded rollups, and the deltas that wait for the compactor, in one snapshot. */
export function createRollups(prisma: PrismaClient): Rollups {
  async function read(runId: number, axis: Axis, range: TimeRange): Promise<Map<string, SeriesCounts>> {
    const rows = await prisma.$queryRaw<SeriesRow[]>`
      SELECT series, max(max_value) AS max,
             json_agg(json_build_array(sign, labels, counts)) FILTER (WHERE sign <> 0 AND labels IS NOT NULL) AS counts,
             json_agg(json_build_array(sign, buckets, counts)) FILTER (WHERE sign <> 0 AND buckets IS NOT NULL) AS sketch
      FROM (
        ${partsOf(axis, spansOf(range, await readHorizons(prisma)), Prisma.sql`ARRAY[${runId}::int]`)}
      ) AS part
      GROUP BY series`;
    const summed = rows.map(
      ({ series, max, counts, sketch }) =>
        [series, { counts: sumOf(counts ?? []), sketch: sumOf(sketch ?? []), max }] as const,
    );
    return new Map(summed.filter(([, { counts, sketch }]) => counts.size + sketch.size > 0));
  }

  async function foldAll(statement: Prisma.Sql): Promise<number> {
    for (let folded = 0; ; ) {
      const [row] = await prisma.$queryRaw<{ taken: number }[]>(statement);
      const taken = row?.taken ?? 0;
      folded += taken;
      if (taken < foldMax) return folded;
    }
  }

  return {
    summary: (runId, range) => read(runId, "captured", range),
    window: (runId, sinceMs) => read(runId, "judged", { fromMs: sinceMs, toMs: null }),

    compact: async () => (await foldAll(foldStatement)) + (await foldAll(foldLedgerStatement)),

    dropFine: (keep) => dropFineRollups(prisma, keep),
  };
}

interface SeriesRow {
  series: string;
  max: number | null;
  counts: Part<string>[] | null;
  sketch: Part<number>[] | null;
}

type Part<Key> = [sign: number, keys: Key[], counts: number[]];

/** Here and not in the statement: Postgres takes longer to add up labels or buckets than to tell them. */
function sumOf<Key>(parts: readonly Part<Key>[]): Map<Key, number> {
  const sum = new Map<Key, number>();
  for (const [sign, keys, counts] of parts) {
    for (let i = 0; i < keys.length; i++) {
      sum.set(keys[i]!, (sum.get(keys[i]!) ?? 0) + sign * counts[i]!);
    }
  }
  for (const [key, n] of sum) if (n === 0) sum.delete(key);
  return sum;
}

/**
 * What was counted of some runs in a range, in parts that are still to be added up: the rollups that cover it, and the
 * deltas that are not in them yet. `sign` times `counts`, of `labels` or of `buckets`, is what is to be added; `max_value`
 * is null where it does not count.
 *
 * @param runIds an int[]
 * @param series the one that is wanted; null: all
 */
export function partsOf(
  axis: Axis,
  { fromMs, toMs, spans }: Spans,
  runIds: Prisma.Sql,
  series: string | null = null,
): Prisma.Sql {
  const minute = axis === "captured" ? Prisma.sql`captured_minute` : Prisma.sql`judged_minute`;
  const wanted = series === null ? Prisma.sql`TRUE` : Prisma.sql`series = ${series}`;
  // Of what alerts look at, and of the account, nothing has a maximum.
  const read = axis === "judged" || series !== null ? countedSpans(spans) : spans;
  return Prisma.sql`
    SELECT r.run_id, r.series, r.labels, r.buckets, r.counts, span.sign,
           CASE WHEN span.max THEN r.max_value END AS max_value
    FROM ${spanRows(read)},
    LATERAL (
      SELECT run_id, series, labels, buckets, counts, max_value FROM rollups
      WHERE run_id = ANY (${runIds}) AND axis = ${axis} AND level = span.level
        AND start >= span."from" AND start < span."to" AND ${wanted}
      -- Each span by the index: Postgres, which cannot tell how short they are, would read all rows to join them.
      OFFSET 0
    ) AS r
    UNION ALL
    SELECT run_id, series, labels, buckets, counts, 1, max_value FROM rollup_deltas
    WHERE run_id = ANY (${runIds}) AND ${wanted} AND ${isRolledUp}
      AND ${minute} >= ${timeOrEdge(fromMs)}::timestamptz AND ${minute} < ${timeOrEdge(toMs)}::timestamptz`;
}
