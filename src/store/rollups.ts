import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { Rollups } from "./groups.js";
import { foldLedgerStatement } from "./ledger-rollups.js";
import { foldMax, foldStatement } from "./rollup-fold.js";
import { dropFineRollups, readHorizons } from "./rollup-horizons.js";
import { type Spans, spanRows, spansOf } from "./rollup-spans.js";
import { timeOrEdge } from "./sql.js";
import type { SeriesCounts, TimeRange } from "./types.js";

type Axis = "captured" | "judged";

/** Counts of a run's comparisons: the folded rollups, and the deltas that wait for the compactor, in one snapshot. */
export function createRollups(prisma: PrismaClient): Rollups {
  async function read(runId: number, axis: Axis, range: TimeRange): Promise<Map<string, SeriesCounts>> {
    const rows = await prisma.$queryRaw<SeriesText[]>`
      SELECT series, max(max) AS max,
             string_agg(${textOfLabels}, E'\n') FILTER (WHERE sign <> 0) AS labels,
             string_agg(array_to_string(counts, ' '), E'\n') FILTER (WHERE sign <> 0) AS counts,
             string_agg(sign::text, E'\n') FILTER (WHERE sign <> 0) AS signs
      FROM (
        ${partsOf(axis, spansOf(range, await readHorizons(prisma)), Prisma.sql`ARRAY[${runId}::int]`)}
      ) AS part
      GROUP BY series`;
    const summed = rows.map(({ series, max, ...text }) => [series, { counts: sumOf(text), max }] as const);
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

/** Parts of a series, line by line. They are added up here: Postgres would take twice as long. null: there is none. */
interface PartsText {
  labels: string | null;
  counts: string | null;
  signs: string | null;
}

interface SeriesText extends PartsText {
  series: string;
  max: number | null;
}

/** Buckets of sketches, most of all that is read, are words without a space; so are hashes. Other labels may be any text. */
const textOfLabels = Prisma.sql`
  CASE WHEN labels[1] ~ '^(-?[0-9]+|zero|inf)$' THEN array_to_string(labels, ' ') ELSE array_to_json(labels)::text END`;

function sumOf({ labels, counts, signs }: PartsText): Map<string, number> {
  const sum = new Map<string, number>();
  if (labels === null || counts === null || signs === null) return sum;
  const [labelLines, countLines] = [labels.split("\n"), counts.split("\n")];
  for (const [part, sign] of signs.split("\n").map(Number).entries()) {
    const line = labelLines[part]!;
    const names = line.startsWith("[") ? (JSON.parse(line) as string[]) : line.split(" ");
    const numbers = countLines[part]!.split(" ");
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      sum.set(name, (sum.get(name) ?? 0) + sign * Number(numbers[i]));
    }
  }
  for (const [name, n] of sum) if (n === 0) sum.delete(name);
  return sum;
}

/**
 * What was counted of some runs in a range, in parts that are still to be added up: the rollups that cover it, and the
 * deltas that are not in them yet. `sign` times `counts` is what is to be added; `max` is null where it does not count.
 *
 * @param runIds an int[]
 * @param series those that are wanted; null: all
 */
export function partsOf(
  axis: Axis,
  { fromMs, toMs, spans }: Spans,
  runIds: Prisma.Sql,
  series: string | null = null,
): Prisma.Sql {
  const minute = axis === "captured" ? Prisma.sql`captured_minute` : Prisma.sql`judged_minute`;
  const wanted = series === null ? Prisma.sql`TRUE` : Prisma.sql`series = ${series}`;
  return Prisma.sql`
    SELECT r.run_id, r.series, r.labels, r.counts, span.sign, CASE WHEN span.max THEN r.max END AS max
    FROM ${spanRows(spans)},
    LATERAL (
      SELECT run_id, series, labels, counts, max FROM rollups
      WHERE run_id = ANY (${runIds}) AND axis = ${axis} AND level = span.level
        AND start >= span."from" AND start < span."to" AND ${wanted}
      -- Each span by the index: Postgres, which cannot tell how short they are, would read all rows to join them.
      OFFSET 0
    ) AS r
    UNION ALL
    SELECT run_id, series, labels, counts, 1, max FROM rollup_deltas
    WHERE run_id = ANY (${runIds}) AND ${wanted}
      AND ${minute} >= ${timeOrEdge(fromMs)}::timestamptz AND ${minute} < ${timeOrEdge(toMs)}::timestamptz`;
}
