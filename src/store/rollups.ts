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
    const rows = await prisma.$queryRaw<{ series: string; max: number | null; parts: Part[] | null }[]>`
      SELECT series, max(max) AS max,
             json_agg(json_build_array(sign, labels, counts)) FILTER (WHERE sign <> 0) AS parts
      FROM (
        ${partsOf(axis, spansOf(range, await readHorizons(prisma)), Prisma.sql`ARRAY[${runId}::int]`)}
      ) AS part
      GROUP BY series`;
    const summed = rows.map(
      ({ series, max, parts }) => [series, { counts: sumOf(parts ?? []), max }] as const,
    );
    return new Map(summed.filter(([, { counts }]) => counts.size > 0));
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

type Part = [sign: number, labels: string[], counts: number[]];

/** Here and not in the statement: Postgres takes longer to add up labels than to tell them. */
function sumOf(parts: readonly Part[]): Map<string, number> {
  const sum = new Map<string, number>();
  for (const [sign, labels, counts] of parts) {
    for (let i = 0; i < labels.length; i++) {
      sum.set(labels[i]!, (sum.get(labels[i]!) ?? 0) + sign * counts[i]!);
    }
  }
  for (const [label, n] of sum) if (n === 0) sum.delete(label);
  return sum;
}

/**
 * What was counted of some runs in a range, in parts that are still to be added up: the rollups that cover it, and the
 * deltas that are not in them yet. `sign` times `counts` is what is to be added; `max` is null where it does not count.
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
    SELECT r.run_id, r.series, r.labels, r.counts, span.sign, CASE WHEN span.max THEN r.max END AS max
    FROM ${spanRows(read)},
    LATERAL (
      SELECT run_id, series, labels, counts, max FROM rollups
      WHERE run_id = ANY (${runIds}) AND axis = ${axis} AND level = span.level
        AND start >= span."from" AND start < span."to" AND ${wanted}
      -- Each span by the index: Postgres, which cannot tell how short they are, would read all rows to join them.
      OFFSET 0
    ) AS r
    UNION ALL
    SELECT run_id, series, labels, counts, 1, max FROM rollup_deltas
    WHERE run_id = ANY (${runIds}) AND ${wanted} AND ${isRolledUp}
      AND ${minute} >= ${timeOrEdge(fromMs)}::timestamptz AND ${minute} < ${timeOrEdge(toMs)}::timestamptz`;
}
