import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import { allTime } from "./rollup-spans.js";
import { partsOf } from "./rollups.js";
import { column, time } from "./sql.js";

/** A group of divergences in one run. */
export interface Appearance {
  count: number;
  /** Of capture. */
  firstMinuteMs: number;
  lastMinuteMs: number;
  /** The comparisons at both ends; null: no longer kept. */
  first: { captureId: string; capturedAtMs: number } | null;
  last: { captureId: string; capturedAtMs: number } | null;
}

export interface Sightings {
  /** Matches and mismatches, by run. */
  samples: Map<number, number>;
  /** By signature and run. */
  appearances: Map<string, Map<number, Appearance>>;
}

/**
 * How often each group was seen in each of these runs.
 *
 * @param runIds runs of which `marked` groups are told
 * @param runId the one of which all groups are told
 */
export async function readSightings(
  prisma: PrismaClient,
  runIds: readonly number[],
  runId: number,
  marked: readonly string[],
): Promise<Sightings> {
  const runs = Prisma.sql`${column(runIds, (id) => id)}::int[]`;
  const counted = await prisma.$queryRaw<{ runId: number; n: number }[]>`
    SELECT run_id AS "runId", sum(n)::float8 AS n
    FROM (${partsOf("captured", allTime, runs, "results")}) AS part, unnest(labels, counts) AS cell(label, n)
    WHERE label IN ('match', 'mismatch') GROUP BY run_id`;
  const samples = new Map(counted.map(({ runId: run, n }) => [run, n]));
  const seen = await prisma.$queryRaw<Cell[]>`
    SELECT run_id AS "runId", hash, sum(n)::float8 AS n, min(first) AS "firstMinute", max(last) AS "lastMinute"
    FROM (
      SELECT run_id, hash, count AS n, first_minute AS first, last_minute AS last
      FROM signature_sightings WHERE run_id = ANY (${runs})
      UNION ALL
      SELECT run_id, label, n, captured_minute, captured_minute
      FROM rollup_deltas, unnest(labels, counts) AS cell(label, n)
      WHERE run_id = ANY (${runs}) AND series = 'signatures'
    ) AS part
    WHERE run_id = ${runId} OR hash = ANY (${column(marked, (hash) => hash)}::text[])
    GROUP BY run_id, hash`;
  const ends = await readEnds(prisma, seen);
  const appearances = new Map<string, Map<number, Appearance>>();
  for (const [i, cell] of seen.entries()) {
    const byRun = appearances.get(cell.hash) ?? new Map<number, Appearance>();
    byRun.set(cell.runId, {
      count: cell.n,
      firstMinuteMs: cell.firstMinute.getTime(),
      lastMinuteMs: cell.lastMinute.getTime(),
      ...ends[i]!,
    });
    appearances.set(cell.hash, byRun);
  }
  return { samples, appearances };
}

interface Cell {
  runId: number;
  hash: string;
  n: number;
  firstMinute: Date;
  lastMinute: Date;
}

/** The first and the last comparison of each: the minute tells their day, so one partition each is looked at. */
async function readEnds(
  prisma: PrismaClient,
  seen: readonly Cell[],
): Promise<Pick<Appearance, "first" | "last">[]> {
  const end = (minute: Prisma.Sql, direction: Prisma.Sql) => Prisma.sql`
    SELECT o.capture_id::text AS id, o.captured_at AS at FROM outcomes o
    WHERE o.day = (${minute} AT TIME ZONE 'UTC')::date AND o.run_id = p.run_id AND o.signature = p.hash
    ORDER BY o.captured_at ${direction}, o.capture_id ${direction} LIMIT 1`;
  const rows = await prisma.$queryRaw<EndColumns[]>`
    SELECT f.id AS "firstId", f.at AS "firstAt", l.id AS "lastId", l.at AS "lastAt"
    FROM unnest(
      ${column(seen, ({ runId }) => runId)}::int[],
      ${column(seen, ({ hash }) => hash)}::text[],
      ${column(seen, ({ firstMinute }) => time(firstMinute.getTime()))}::timestamptz[],
      ${column(seen, ({ lastMinute }) => time(lastMinute.getTime()))}::timestamptz[]
    ) WITH ORDINALITY AS p(run_id, hash, first_minute, last_minute, place)
    LEFT JOIN LATERAL (${end(Prisma.sql`p.first_minute`, Prisma.sql`ASC`)}) f ON TRUE
    LEFT JOIN LATERAL (${end(Prisma.sql`p.last_minute`, Prisma.sql`DESC`)}) l ON TRUE
    ORDER BY p.place`;
  return rows.map(({ firstId, firstAt, lastId, lastAt }) => ({
    first: firstId && firstAt ? { captureId: firstId, capturedAtMs: firstAt.getTime() } : null,
    last: lastId && lastAt ? { captureId: lastId, capturedAtMs: lastAt.getTime() } : null,
  }));
}

interface EndColumns {
  firstId: string | null;
  firstAt: Date | null;
  lastId: string | null;
  lastAt: Date | null;
}
