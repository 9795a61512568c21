import type { Fact } from "../compare/facts.js";
import { groupOf } from "../compare/group.js";
import type { OutputComparison } from "../compare/types.js";
import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { Outcomes } from "./groups.js";
import { insertGroups, shapeLiteral } from "./signature-groups.js";
import { column, jsonText, time } from "./sql.js";
import type { OutcomeRow, WorkCommit, WorkRest } from "./types.js";
import { currentWork, sweepGrace } from "./work.js";

export function createOutcomes(prisma: PrismaClient): Outcomes {
  return {
    async commitWork(commit) {
      const [row] = await prisma.$queryRaw<{ committed: boolean; held: boolean }[]>(commitStatement(commit));
      if (row?.committed === true) return "committed";
      return row?.held === true ? "rewritten" : "lease_lost";
    },
  };
}

/** A part of an outcome, with the place of its outcome among the rows, from 1. */
export interface Part<T> {
  place: number;
  part: T;
}

function partsOf<T>(rows: readonly OutcomeRow[], pick: (row: OutcomeRow) => readonly T[]): Part<T>[] {
  const parts: Part<T>[] = [];
  for (const [i, row] of rows.entries()) for (const part of pick(row)) parts.push({ place: i + 1, part });
  return parts;
}

/**
 * `fence` locks the work and ends it; a stale lease yields no row, and all else hangs on that row. Diffs and counts
 * come from `went_in` alone, so whatever was there before is neither written nor counted again.
 *
 * `current` waits for an erasure that is just marking captures of the segment: what was read before is not written.
 */
function commitStatement({ workId, lease, judgedAtMs, rows: given, answers, rest }: WorkCommit): Prisma.Sql {
  // A capture that stands twice in a segment goes in once; its facts must not be counted twice.
  const rows = [...new Map(given.map((row) => [row.captureId, row])).values()];
  return Prisma.sql`
    WITH ${currentWork(workId)}, fence AS (
      UPDATE work SET state = 'done', lease_until = NULL, done_at = now(), error = NULL,
                      answers_key = ${answers?.key ?? null}, answers_sha256 = ${answers?.sha256 ?? null},
                      answers_bytes = ${answers?.bytes ?? 0}::bigint, answers_kept = ${answers?.count ?? 0}::int,
                      sweep_after = CASE WHEN lease > 1 THEN now() + ${sweepGrace}::interval END${rest ? onlyKept(rest) : Prisma.empty}
      WHERE id = ${workId} AND lease = ${lease} AND state = 'leased' AND id IN (SELECT id FROM current)
      RETURNING id, run_id, segment_id, skew_ms
    )${rest ? insertRest(rest) : Prisma.empty}, given AS (
      SELECT * FROM unnest(
        ${column(rows, (r) => r.captureId)}::uuid[],
        ${column(rows, (r) => time(r.capturedAtMs))}::timestamptz[],
        ${column(rows, (r) => r.sample)}::text[],
        ${column(rows, (r) => r.disposition)}::text[],
        ${column(rows, (r) => r.reason)}::text[],
        ${column(rows, (r) => r.result)}::text[],
        ${column(rows, (r) => r.kind)}::text[],
        ${column(rows, (r) => r.signature)}::text[],
        ${column(rows, (r) => r.flip)}::bool[],
        ${column(rows, (r) => r.primaryVersion)}::text[],
        ${column(rows, (r) => r.primaryMs)}::float8[],
        ${column(rows, (r) => r.candidateMs)}::float8[],
        ${column(rows, (r) => r.controlMs)}::float8[],
        ${column(rows, (r) => r.lateMs)}::float8[],
        ${column(rows, (r) => r.attempts)}::int[],
        ${column(rows, (r) => r.maxAbs)}::float8[],
        ${column(rows, (r) => r.maxRel)}::float8[],
        ${column(rows, (r) => (r.details == null ? null : jsonText(r.details)))}::jsonb[]
      ) WITH ORDINALITY AS g(capture_id, captured_at, sample, disposition, reason, result, kind, signature, flip,
                             primary_version, primary_ms, candidate_ms, control_ms, late_ms, attempts, max_abs,
                             max_rel, details, place)
    ), went_in AS (
      INSERT INTO outcomes (day, run_id, capture_id, work_id, captured_at, judged_at, sample, disposition, reason,
                            result, kind, signature, flip, primary_version, primary_ms, candidate_ms, control_ms,
                            late_ms, attempts, max_abs, max_rel, details)
      SELECT (g.captured_at AT TIME ZONE 'UTC')::date, f.run_id, g.capture_id, f.id, g.captured_at,
             ${time(judgedAtMs)}::timestamptz, g.sample, g.disposition, g.reason, g.result, g.kind, g.signature,
             g.flip, g.primary_version, g.primary_ms, g.candidate_ms, g.control_ms, g.late_ms, g.attempts,
             g.max_abs, g.max_rel, g.details
      FROM given g, fence f
      ON CONFLICT DO NOTHING
      RETURNING day, run_id, capture_id, work_id, captured_at, judged_at, primary_version, max_abs, candidate_ms
    ), kept AS MATERIALIZED (
      SELECT w.*, g.place FROM went_in w JOIN given g USING (capture_id)
    ), diffs AS (${insertDiffs(partsOf(rows, (row) => row.outputs))}
    ), deltas AS (${insertDeltas(partsOf(rows, (row) => row.facts))}
    ), groups AS (${insertGroups(partsOf(rows, (row) => [groupOf(row)].filter((g) => g !== null)))}
    )
    SELECT EXISTS (SELECT 1 FROM fence)
        OR EXISTS (SELECT 1 FROM work WHERE id = ${workId} AND lease = ${lease} AND state = 'done') AS committed,
           EXISTS (SELECT 1 FROM work WHERE id = ${workId} AND lease = ${lease} AND state = 'leased') AS held`;
}

/** The rows that were done stay with the work. It gives up its first row if that is among the others. */
function onlyKept({ kept }: WorkRest): Prisma.Sql {
  return Prisma.sql`, first_row = ${kept[0]!}::int, rows = ${kept.at(-1)! - kept[0]! + 1}::int,
                      row_list = ${`{${kept}}`}::int[]`;
}

/** The rows that were not done, as a work of their own. */
function insertRest({ rows, dueMs }: WorkRest): Prisma.Sql {
  return Prisma.sql`, rest AS (
      INSERT INTO work (segment_id, run_id, first_row, rows, row_list, due_ms, skew_ms)
      SELECT segment_id, run_id, ${rows[0]!}::int, ${rows.at(-1)! - rows[0]! + 1}::int, ${`{${rows}}`}::int[],
             ${dueMs}::float8, skew_ms
      FROM fence
    )`;
}

function insertDiffs(outputs: readonly Part<OutputComparison>[]): Prisma.Sql {
  return Prisma.sql`
      INSERT INTO output_diffs (day, run_id, capture_id, output, result, kind, datatype, shape, elements, mismatches,
                                max_abs, max_rel, mean_abs, rmse, cosine, non_finite_primary, non_finite_candidate,
                                flip, decision_from, decision_to, captured_at, comparison_max_abs, comparison_ms,
                                details)
      SELECT k.day, k.run_id, k.capture_id, o.output, o.result, o.kind, o.datatype, o.shape::bigint[], o.elements,
             o.mismatches, o.max_abs, o.max_rel, o.mean_abs, o.rmse, o.cosine, o.non_finite_primary,
             o.non_finite_candidate, o.flip, o.decision_from, o.decision_to,
             CASE WHEN o.kind IS NOT NULL THEN k.captured_at END,
             CASE WHEN o.kind IS NOT NULL THEN k.max_abs END,
             CASE WHEN o.kind IS NOT NULL THEN k.candidate_ms END, o.details
      FROM unnest(
        ${column(outputs, ({ place }) => place)}::bigint[],
        ${column(outputs, ({ part: o }) => o.output)}::text[],
        ${column(outputs, ({ part: o }) => o.result)}::text[],
        ${column(outputs, ({ part: o }) => o.kind)}::text[],
        ${column(outputs, ({ part: o }) => o.datatype)}::text[],
        ${column(outputs, ({ part: o }) => shapeLiteral(o.shape))}::text[],
        ${column(outputs, ({ part: o }) => o.elements)}::bigint[],
        ${column(outputs, ({ part: o }) => o.mismatches)}::bigint[],
        ${column(outputs, ({ part: o }) => o.maxAbs)}::float8[],
        ${column(outputs, ({ part: o }) => o.maxRel)}::float8[],
        ${column(outputs, ({ part: o }) => o.meanAbs)}::float8[],
        ${column(outputs, ({ part: o }) => o.rmse)}::float8[],
        ${column(outputs, ({ part: o }) => o.cosine)}::float8[],
        ${column(outputs, ({ part: o }) => o.nonFinitePrimary)}::bigint[],
        ${column(outputs, ({ part: o }) => o.nonFiniteCandidate)}::bigint[],
        ${column(outputs, ({ part: o }) => o.decision?.flip)}::bool[],
        ${column(outputs, ({ part: o }) => o.decision?.from)}::text[],
        ${column(outputs, ({ part: o }) => o.decision?.to)}::text[],
        ${column(outputs, ({ part }) => diffDetails(part))}::jsonb[]
      ) AS o(place, output, result, kind, datatype, shape, elements, mismatches, max_abs, max_rel, mean_abs, rmse,
             cosine, non_finite_primary, non_finite_candidate, flip, decision_from, decision_to, details)
      JOIN kept k ON k.place = o.place
      ON CONFLICT DO NOTHING`;
}

/** Facts are many and their kinds few, so each kind is sent once and grouped by its number. */
function insertDeltas(facts: readonly Part<Fact>[]): Prisma.Sql {
  const kinds = new Map<string, { series: string; label: string; number: number }>();
  const numbers = facts.map(({ part: { series, label } }) => {
    const key = `${series}\0${label}`;
    const kind = kinds.get(key) ?? { series, label, number: kinds.size + 1 };
    kinds.set(key, kind);
    return kind.number;
  });
  const kindList = [...kinds.values()];
  return Prisma.sql`
      INSERT INTO rollup_deltas (work_id, run_id, captured_minute, judged_minute, primary_version, series, labels,
                                 counts, max)
      SELECT work_id, run_id, captured_minute, judged_minute, primary_version, f.series,
             array_agg(f.label), array_agg(n), max(max)
      FROM (
        SELECT k.work_id, k.run_id, date_trunc('minute', k.captured_at) AS captured_minute,
               date_trunc('minute', k.judged_at) AS judged_minute, k.primary_version, f.kind,
               count(*) AS n, max(f.value) AS max
        FROM unnest(
          ${column(facts, ({ place }) => place)}::bigint[],
          ${column(numbers, (number) => number)}::bigint[],
          ${column(facts, ({ part }) => part.value)}::float8[]
        ) AS f(place, kind, value)
        JOIN kept k ON k.place = f.place
        GROUP BY 1, 2, 3, 4, 5, 6
      ) AS cell
      JOIN unnest(
        ${column(kindList, ({ series }) => series)}::text[],
        ${column(kindList, ({ label }) => label)}::text[]
      ) WITH ORDINALITY AS f(series, label, kind) USING (kind)
      GROUP BY 1, 2, 3, 4, 5, 6`;
}

/** What is shown of one output but never searched. */
function diffDetails(o: OutputComparison): string {
  const { worst, candidateDatatype, candidateShape, differences, histogram, atolToPass, statistic, maxUlps } =
    o;
  const changes = o.decision?.changes;
  return jsonText({
    worst,
    candidateDatatype,
    candidateShape,
    differences,
    histogram,
    atolToPass,
    statistic,
    maxUlps,
    changes,
  });
}
