import { patienceMs, type SetCounts } from "../gate/set.js";
import { dayOf } from "../ids.js";
import type { PrismaClient } from "./client.js";
import { type ComparisonColumns, comparisonColumns, comparisonRowOf } from "./comparison-columns.js";
import type { ComparisonRow } from "./comparisons.js";
import { Prisma } from "./generated/client.js";
import { erasedUnsent } from "./selection-reads.js";
import { column, time } from "./sql.js";

/** Worst examples of a report. */
const worstMax = 10;
/** Outputs with a histogram in a report. */
const outputsMax = 20;

/**
 * What a gate judges, fixed. Of a live run: what had ended when the gate started; later captures and commits change
 * none of it. Of a sealed selection: so many of its members, in the order of its seal, all of which have ended.
 */
export interface FrozenSet {
  runId: number;
  /** null: a live run. */
  selection: { id: number; read: number } | null;
  frozenAtMs: number;
  fromMs: number;
  /** null: nothing was captured. */
  firstMs: number | null;
  /** Everything of the run that was captured in this time and before it is finished. */
  watermarkMs: number;
  /** Of a live run: works that had ended. Only open works are ever split, so these keep their captures. */
  workIds: bigint[];
  /** Of the base sample, up to the watermark; of a selection: the members that were read, the erased ones too. */
  captured: number;
  /** Of the base sample, behind the watermark; of a selection: not read, without the erased ones. */
  pending: number;
  /** Of these, captured longer ago than a minute. */
  waiting: number;
}

/** How much was counted in one stretch of a set's time. */
export interface SetStretch {
  atMs: number;
  samples: number;
  mismatches: number;
  decided: number;
  flips: number;
  finished: number;
  errors: number;
}

/** Latencies of requests of a set; −1 where the side in question did not answer. */
export interface SetLatencies {
  candidateMs: number[];
  referenceMs: number[];
  /** How many there are, given or not. */
  total: number;
}

export interface OutputErrors {
  name: string;
  compared: number;
  mismatches: number;
  maxAbs: number | null;
  /** Decade of the largest absolute error → comparisons; null: an error of 0. Non-finite ones are in none. */
  decades: { decade: number | null; comparisons: number }[];
}

export interface GateSets {
  /** @param sinceMs how far back from now, by the database's clock */
  freeze(runId: number, sinceMs: number): Promise<FrozenSet>;
  counts(set: FrozenSet): Promise<Omit<SetCounts, "captured">>;
  /** When the first of a set was judged, Unix milliseconds; null: nothing of it is there. */
  judgedFrom(set: FrozenSet): Promise<number | null>;
  /** The newest UTC day of whose captures some of the set's were dropped by retention; null: none were. */
  droppedDay(set: FrozenSet): Promise<string | null>;
  /** Requests of a set that were sent more than once: after a refused connection, 429 or 503. */
  retried(set: FrozenSet): Promise<number>;
  timeline(set: FrozenSet, stretches: number): Promise<SetStretch[]>;
  /**
   * At most so many, chosen blindly beyond that: of a live run evenly thinned by their place in the order of capture, of
   * a selection the first in the order of its seal.
   */
  latencies(set: FrozenSet, reference: "control" | "primary", max: number): Promise<SetLatencies>;
  outputErrors(set: FrozenSet): Promise<OutputErrors[]>;
  /** Failures first, then the largest errors. */
  worst(set: FrozenSet): Promise<(ComparisonRow & { mismatching: string[] })[]>;
}

export function createGateSets(prisma: PrismaClient): GateSets {
  return {
    async freeze(runId, sinceMs) {
      const [row] = await prisma.$queryRaw<FrozenRow[]>`
        WITH span AS (
          SELECT now() AS "to", now() - ${sinceMs}::float8 * interval '1 millisecond' AS "from"
        ), works AS MATERIALIZED (
          SELECT w.id, w.state, w.segment_id, w.first_row, w.rows, s.day
          FROM span, work w JOIN segments s ON s.id = w.segment_id
          WHERE w.run_id = ${runId} AND s.last_at >= span."from" AND s.first_at < span."to"
        ), taken AS MATERIALIZED (
          SELECT w.state IN ('pending', 'leased') AS open, c.received_at AS at
          FROM span, works w JOIN captures c ON c.day = w.day AND c.segment_id = w.segment_id
          WHERE c."row" >= w.first_row AND c."row" < w.first_row + w.rows AND c.sample = 'base'
            AND c.received_at >= span."from" AND c.received_at < span."to"
        ), mark AS (
          SELECT coalesce(min(at) FILTER (WHERE open), (SELECT "to" FROM span)) AS at FROM taken
        )
        SELECT span."from", span."to", mark.at AS watermark,
          (SELECT min(at) FROM taken) AS first,
          (SELECT count(*) FROM taken WHERE at < mark.at)::float8 AS captured,
          (SELECT count(*) FROM taken WHERE at >= mark.at)::float8 AS pending,
          (SELECT count(*) FROM taken
            WHERE at >= mark.at AND at < span."to" - ${patienceMs}::float8 * interval '1 millisecond'
          )::float8 AS waiting,
          coalesce((SELECT array_agg(id ORDER BY id) FROM works WHERE state NOT IN ('pending', 'leased')), '{}')
            AS "workIds"
        FROM span, mark`;
      const { from, to, watermark, first, ...counts } = row!;
      return {
        runId,
        selection: null,
        frozenAtMs: to.getTime(),
        fromMs: from.getTime(),
        firstMs: first?.getTime() ?? null,
        watermarkMs: watermark.getTime(),
        ...counts,
      };
    },

    async counts(set) {
      const rows = await prisma.$queryRaw<CountRow[]>`
        SELECT o.disposition, o.reason, o.result, o.flip, count(*)::float8 AS n
        FROM outcomes o WHERE ${inSet(set)} GROUP BY 1, 2, 3, 4`;
      const counts = countsOf(rows);
      return set.selection === null
        ? counts
        : { ...counts, erased: counts.erased + (await erasedUnsent(prisma, set.runId, set.selection)) };
    },

    async judgedFrom(set) {
      const [row] = await prisma.$queryRaw<{ first: Date | null }[]>`
        SELECT min(o.judged_at) AS first FROM outcomes o WHERE ${inSet(set)}`;
      return row?.first?.getTime() ?? null;
    },

    async droppedDay({ runId, fromMs, watermarkMs }) {
      const [row] = await prisma.$queryRaw<{ newest: Date | null }[]>`
        SELECT max(minute) AS newest FROM dropped_run_minutes
        WHERE run_id = ${runId} AND minute >= date_trunc('minute', ${time(fromMs)}::timestamptz)
          AND minute < ${time(watermarkMs)}::timestamptz`;
      return row?.newest ? dayOf(row.newest.getTime()) : null;
    },

    async retried(set) {
      const [row] = await prisma.$queryRaw<{ n: number }[]>`
        SELECT count(*)::float8 AS n FROM outcomes o WHERE ${inSet(set)} AND o.attempts > 1`;
      return row!.n;
    },

    async timeline(set, stretches) {
      if (set.firstMs === null) return [];
      const widthMs = Math.max(1_000, Math.ceil((set.watermarkMs - set.firstMs) / stretches));
      const first = Prisma.sql`${time(set.firstMs)}::timestamptz`;
      return prisma.$queryRaw<SetStretch[]>`
        SELECT (${set.firstMs}::float8 + place * ${widthMs}::float8) AS "atMs",
          count(*) FILTER (WHERE result IN ('match', 'mismatch'))::float8 AS samples,
          count(*) FILTER (WHERE result = 'mismatch')::float8 AS mismatches,
          count(flip)::float8 AS decided,
          count(*) FILTER (WHERE flip)::float8 AS flips,
          count(*) FILTER (WHERE disposition IN ('compared', 'candidate_error'))::float8 AS finished,
          count(*) FILTER (WHERE disposition = 'candidate_error')::float8 AS errors
        FROM (
          SELECT o.*, floor(extract(epoch FROM o.captured_at - ${first}) * 1000 / ${widthMs}::float8)::float8 AS place
          FROM outcomes o WHERE ${inSet(set)}
        ) AS placed
        GROUP BY place ORDER BY place`;
    },

    async latencies(set, reference, max) {
      const ms = reference === "control" ? Prisma.sql`o.control_ms` : Prisma.sql`o.primary_ms`;
      const { order, chosen } = choiceOf(set, max);
      const [row] = await prisma.$queryRaw<{ candidate: number[]; reference: number[]; total: number }[]>`
        WITH pair AS (
          -- Clocks that step could make a recorded latency negative; nothing is faster than 0.
          SELECT coalesce(o.candidate_ms, -1) AS candidate,
            coalesce(nullif(greatest(${ms}, 0), 'Infinity'), -1) AS reference,
            row_number() OVER (ORDER BY ${order}) AS place, count(*) OVER () AS total
          FROM outcomes o
          WHERE ${inSet(set)} AND ${ms} IS NOT NULL
            AND (o.result IN ('match', 'mismatch', 'ignored') OR o.disposition = 'candidate_error')
        )
        SELECT coalesce(array_agg(candidate ORDER BY place), '{}') AS candidate,
          coalesce(array_agg(reference ORDER BY place), '{}') AS reference,
          coalesce(max(total), 0)::float8 AS total
        FROM pair WHERE ${chosen}`;
      const { candidate, reference: referenceMs, total } = row!;
      return { candidateMs: candidate, referenceMs, total };
    },

    async outputErrors(set) {
      const rows = await prisma.$queryRaw<ErrorRow[]>`
        SELECT d.output AS name, d.result = 'mismatch' AS mismatch,
          CASE WHEN d.max_abs > 0 AND d.max_abs < 'Infinity' THEN floor(log(d.max_abs))::int END AS decade,
          d.max_abs = 0 AS equal, max(d.max_abs) AS "maxAbs", count(*)::float8 AS n
        FROM outcomes o JOIN output_diffs d
          ON d.day = o.day AND d.run_id = o.run_id AND d.capture_id = o.capture_id
        WHERE ${inSet(set)}
        GROUP BY 1, 2, 3, 4
        ORDER BY 1, 3`;
      return outputErrorsOf(rows);
    },

    async worst(set) {
      const rows = await prisma.$queryRaw<(ComparisonColumns & { mismatching: string[] })[]>`
        SELECT ${comparisonColumns},
          ARRAY(
            SELECT d.output FROM output_diffs d
            WHERE d.day = o.day AND d.run_id = o.run_id AND d.capture_id = o.capture_id AND d.result = 'mismatch'
            ORDER BY d.output
          ) AS mismatching
        FROM outcomes o
        WHERE ${inSet(set)} AND (o.result = 'mismatch' OR o.disposition = 'candidate_error')
        ORDER BY (o.disposition = 'candidate_error' AND ${failureShare(set)}) DESC, o.max_abs DESC NULLS LAST,
          o.captured_at, o.capture_id
        LIMIT ${worstMax}`;
      return rows.map(comparisonRowOf);
    },
  };
}

/** Of the failures only some, or nothing else would be shown of a candidate that fails a lot. */
function failureShare(set: FrozenSet): Prisma.Sql {
  return Prisma.sql`o.capture_id IN (
    SELECT o.capture_id FROM outcomes o
    WHERE ${inSet(set)} AND o.disposition = 'candidate_error'
    ORDER BY o.captured_at LIMIT 3
  )`;
}

/** Outcomes `o` of the set: the day says the time again, so that other days' partitions are not looked at. */
function inSet({ runId, selection, fromMs, watermarkMs, workIds }: FrozenSet): Prisma.Sql {
  if (selection !== null) {
    return Prisma.sql`o.run_id = ${runId} AND (o.day, o.capture_id) IN (
      SELECT m.day, m.capture_id FROM selection_members m
      WHERE m.selection_id = ${selection.id} AND m.position < ${selection.read})`;
  }
  return Prisma.sql`o.run_id = ${runId} AND o.sample = 'base'
    AND o.captured_at >= ${time(fromMs)}::timestamptz AND o.day >= ${dayOf(fromMs)}::date
    AND o.captured_at < ${time(watermarkMs)}::timestamptz AND o.day <= ${dayOf(watermarkMs)}::date
    AND o.work_id IN (SELECT unnest(${column(workIds, (id) => id)}::bigint[]))`;
}

function choiceOf({ selection }: FrozenSet, max: number): { order: Prisma.Sql; chosen: Prisma.Sql } {
  if (selection === null) {
    return {
      order: Prisma.sql`o.captured_at, o.capture_id`,
      chosen: Prisma.sql`place % greatest(1, ceil(total::float8 / ${max}::float8)::bigint) = 0`,
    };
  }
  return {
    order: Prisma.sql`(
      SELECT m.position FROM selection_members m
      WHERE m.selection_id = ${selection.id} AND m.capture_id = o.capture_id)`,
    chosen: Prisma.sql`place <= ${max}`,
  };
}

interface FrozenRow {
  from: Date;
  to: Date;
  watermark: Date;
  first: Date | null;
  captured: number;
  pending: number;
  waiting: number;
  workIds: bigint[];
}

interface CountRow {
  disposition: string;
  reason: string | null;
  result: string | null;
  flip: boolean | null;
  n: number;
}

function countsOf(rows: readonly CountRow[]): Omit<SetCounts, "captured"> {
  const total = (holds: (row: CountRow) => boolean) =>
    rows.reduce((sum, row) => (holds(row) ? sum + row.n : sum), 0);
  const byReason = (disposition: string) => {
    const found: Record<string, number> = {};
    for (const row of rows) {
      if (row.disposition !== disposition) continue;
      const reason = row.reason ?? "unknown";
      found[reason] = (found[reason] ?? 0) + row.n;
    }
    return found;
  };
  const compared = (result: string) =>
    total((row) => row.disposition === "compared" && row.result === result);
  return {
    matches: compared("match"),
    mismatches: compared("mismatch"),
    ignored: compared("ignored"),
    incomparable: compared("incomparable"),
    flips: total((row) => row.flip === true),
    decided: total((row) => row.flip !== null),
    candidateError: byReason("candidate_error"),
    notReplayed: byReason("not_replayed"),
    expired: total((row) => row.disposition === "expired"),
    dead: total((row) => row.disposition === "dead"),
    erased: total((row) => row.disposition === "erased"),
  };
}

interface ErrorRow {
  name: string;
  mismatch: boolean;
  decade: number | null;
  /** null: not measured. */
  equal: boolean | null;
  maxAbs: number | null;
  n: number;
}

function outputErrorsOf(rows: readonly ErrorRow[]): OutputErrors[] {
  const outputs = new Map<string, OutputErrors>();
  for (const { name, mismatch, decade, equal, maxAbs, n } of rows) {
    const output = outputs.get(name) ?? { name, compared: 0, mismatches: 0, maxAbs: null, decades: [] };
    outputs.set(name, output);
    output.compared += n;
    if (mismatch) output.mismatches += n;
    if (maxAbs !== null) output.maxAbs = Math.max(output.maxAbs ?? 0, maxAbs);
    if (decade === null && equal !== true) continue;
    const known = output.decades.find((entry) => entry.decade === decade);
    if (known) known.comparisons += n;
    else output.decades.push({ decade, comparisons: n });
  }
  const all = [...outputs.values()].sort((a, b) => b.mismatches - a.mismatches || (a.name < b.name ? -1 : 1));
  for (const { decades } of all) {
    decades.sort((a, b) => (a.decade ?? Number.NEGATIVE_INFINITY) - (b.decade ?? Number.NEGATIVE_INFINITY));
  }
  return all.slice(0, outputsMax);
}
