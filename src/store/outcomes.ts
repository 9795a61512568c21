import { groupOf } from "../compare/group.js";
import { bools, float8s, int4s, jsons, texts, times, uuids } from "./binary-columns.js";
import type { PrismaClient } from "./client.js";
import { insertDeltas } from "./commit-deltas.js";
import { insertDiffs } from "./commit-diffs.js";
import { isUniqueViolation } from "./driver-error.js";
import { Prisma } from "./generated/client.js";
import type { Outcomes } from "./groups.js";
import { prepared } from "./prepared.js";
import { insertGroups } from "./signature-groups.js";
import { time } from "./sql.js";
import type { OutcomeRow, WorkCommit, WorkRest } from "./types.js";
import { currentWork, sweepGrace } from "./work.js";

export function createOutcomes(prisma: PrismaClient): Outcomes {
  async function send(commit: WorkCommit): ReturnType<Outcomes["commitWork"]> {
    const [row] = await prisma.$queryRaw<{ committed: boolean; held: boolean }[]>(commitStatement(commit));
    if (row?.committed === true) return "committed";
    return row?.held === true ? "rewritten" : "lease_lost";
  }

  return {
    async commitWork(commit) {
      // A capture that stands twice in a segment goes in once; its facts must not be counted twice.
      let rows = [...new Map(commit.rows.map((row) => [row.captureId, row])).values()];
      // Each further turn has fewer rows.
      for (;;) {
        try {
          return await send({ ...commit, rows });
        } catch (error) {
          if (!isUniqueViolation(error)) throw error;
          const there = await endedAlready(prisma, commit.workId, rows);
          if (there.size === 0) throw error;
          rows = rows.filter(({ captureId }) => !there.has(captureId));
        }
      }
    },
  };
}

/** Of these captures, those that have an outcome in the work's run. */
async function endedAlready(
  prisma: PrismaClient,
  workId: bigint,
  rows: readonly OutcomeRow[],
): Promise<Set<string>> {
  const found = await prisma.$queryRaw<{ captureId: string }[]>`
    SELECT o.capture_id::text AS "captureId"
    FROM work w, unnest(
      ${uuids(rows, (r) => r.captureId)}::uuid[], ${times(rows, (r) => r.capturedAtMs)}::timestamptz[]
    ) AS g(capture_id, captured_at)
    JOIN outcomes o ON o.day = (g.captured_at AT TIME ZONE 'UTC')::date AND o.capture_id = g.capture_id
    WHERE w.id = ${workId} AND o.run_id = w.run_id`;
  return new Set(found.map(({ captureId }) => captureId));
}

/**
 * `fence` locks the work and ends it; a stale lease yields no row, and all else hangs on that row. All of it goes in or
 * nothing: a capture that has an outcome already refuses the statement, and the caller sends it without that one. So
 * what is counted is counted here, and not from the rows that went in.
 *
 * `current` waits for an erasure that is just marking captures of the segment: what was read before is not written.
 *
 * @param rows of distinct captures
 */
function commitStatement({ workId, lease, judgedAtMs, rows, answers, rest }: WorkCommit): Prisma.Sql {
  return Prisma.sql`${rest ? Prisma.empty : prepared}
    WITH ${currentWork(workId)}, fence AS (
      UPDATE work SET state = 'done', lease_until = NULL, done_at = now(), error = NULL,
                      answers_key = ${answers?.key ?? null}, answers_sha256 = ${answers?.sha256 ?? null},
                      answers_bytes = ${answers?.bytes ?? 0}::bigint, answers_kept = ${answers?.count ?? 0}::int,
                      sweep_after = CASE WHEN lease > 1 THEN now() + ${sweepGrace}::interval END${rest ? onlyKept(rest) : Prisma.empty}
      WHERE id = ${workId} AND lease = ${lease} AND state = 'leased' AND id IN (SELECT id FROM current)
      RETURNING id, run_id, segment_id, skew_ms
    )${rest ? insertRest(rest) : Prisma.empty}, ended AS (
      INSERT INTO outcomes (day, run_id, capture_id, work_id, captured_at, judged_at, sample, disposition, reason,
                            result, kind, signature, flip, primary_version, primary_ms, candidate_ms, control_ms,
                            late_ms, attempts, max_abs, max_rel, details)
      SELECT (g.captured_at AT TIME ZONE 'UTC')::date, f.run_id, g.capture_id, f.id, g.captured_at,
             ${time(judgedAtMs)}::timestamptz, g.sample, g.disposition, g.reason, g.result, g.kind, g.signature,
             g.flip, g.primary_version, g.primary_ms, g.candidate_ms, g.control_ms, g.late_ms, g.attempts,
             g.max_abs, g.max_rel, g.details
      FROM fence f, (
        SELECT unnest(${uuids(rows, (r) => r.captureId)}::uuid[]) AS capture_id,
               unnest(${times(rows, (r) => r.capturedAtMs)}::timestamptz[]) AS captured_at,
               unnest(${texts(rows, (r) => r.sample)}::text[]) AS sample,
               unnest(${texts(rows, (r) => r.disposition)}::text[]) AS disposition,
               unnest(${texts(rows, (r) => r.reason)}::text[]) AS reason,
               unnest(${texts(rows, (r) => r.result)}::text[]) AS result,
               unnest(${texts(rows, (r) => r.kind)}::text[]) AS kind,
               unnest(${texts(rows, (r) => r.signature)}::text[]) AS signature,
               unnest(${bools(rows, (r) => r.flip)}::bool[]) AS flip,
               unnest(${texts(rows, (r) => r.primaryVersion)}::text[]) AS primary_version,
               unnest(${float8s(rows, (r) => r.primaryMs)}::float8[]) AS primary_ms,
               unnest(${float8s(rows, (r) => r.candidateMs)}::float8[]) AS candidate_ms,
               unnest(${float8s(rows, (r) => r.controlMs)}::float8[]) AS control_ms,
               unnest(${float8s(rows, (r) => r.lateMs)}::float8[]) AS late_ms,
               unnest(${int4s(rows, (r) => r.attempts)}::int[]) AS attempts,
               unnest(${float8s(rows, (r) => r.maxAbs)}::float8[]) AS max_abs,
               unnest(${float8s(rows, (r) => r.maxRel)}::float8[]) AS max_rel,
               unnest(${jsons(rows, (r) => r.details)}::jsonb[]) AS details
      ) AS g
    ), diffs AS (${insertDiffs(rows)}
    ), deltas AS (${insertDeltas(rows, judgedAtMs)}
    ), groups AS (${insertGroups(rows.map(groupOf).filter((group) => group !== null))}
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
