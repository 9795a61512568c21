import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { RunKind } from "./types.js";
import { rowsOf } from "./work-rows.js";

/** A work that was given up. */
export interface DeadWork {
  id: bigint;
  deployment: string;
  candidate: string;
  run: number;
  runKind: RunKind;
  segment: string;
  firstRow: number;
  /** Captures in it. */
  rows: number;
  /** Id of the first, to look at. */
  capture: string | null;
  stalls: number;
  /** Why it was given up. */
  error: string;
  diedAtMs: number;
}

export interface DeadWorks {
  /** The newest first, from below `before` on. */
  list(options: {
    deployment: string | null;
    candidate: string | null;
    before: bigint | null;
    limit: number;
  }): Promise<DeadWork[]>;
  /**
   * Takes a dead work up again: its captures that ended as dead, or were erased, are pending once more. A replay that is
   * done goes on with it.
   *
   * @returns false: it is not dead, or of a replay that was cancelled or failed
   */
  retry(workId: bigint): Promise<boolean>;
}

export function createDeadWorks(prisma: PrismaClient): DeadWorks {
  return {
    async list({ deployment, candidate, before, limit }) {
      const rows = await prisma.$queryRaw<(Omit<DeadWork, "diedAtMs"> & { doneAt: Date })[]>`
        SELECT w.id, d.name AS deployment, c.name AS candidate, r.id AS run, r.kind AS "runKind",
               w.segment_id AS segment, w.first_row AS "firstRow", ${rowsOf} AS rows, w.stalls, coalesce(w.error, '') AS error,
               w.done_at AS "doneAt",
               (SELECT k.id FROM captures k
                 WHERE k.day = s.day AND k.segment_id = s.id AND k."row" = w.first_row) AS capture
        FROM work w
        JOIN segments s ON s.id = w.segment_id
        JOIN runs r ON r.id = w.run_id
        JOIN deployments d ON d.id = r.deployment_id
        JOIN candidates c ON c.id = r.candidate_id
        WHERE w.state = 'dead'
          ${deployment === null ? Prisma.empty : Prisma.sql`AND d.name = ${deployment}`}
          ${candidate === null ? Prisma.empty : Prisma.sql`AND c.name = ${candidate}`}
          ${before === null ? Prisma.empty : Prisma.sql`AND w.id < ${before}`}
        ORDER BY w.id DESC
        LIMIT ${limit}`;
      return rows.map(({ doneAt, ...row }) => ({ ...row, diedAtMs: doneAt.getTime() }));
    },

    async retry(workId) {
      const [row] = await prisma.$queryRaw<{ retried: boolean }[]>`
        WITH fence AS (
          UPDATE work SET state = 'pending', stalls = 0, error = NULL, done_at = NULL, enqueued_at = NULL,
                          leased_by = NULL
          WHERE id = ${workId} AND state = 'dead' AND NOT EXISTS (
            SELECT FROM replays h WHERE h.run_id = work.run_id AND h.state IN ('cancelled', 'failed'))
          RETURNING id, run_id, segment_id, first_row, rows
        ), goes_on AS (
          -- Whatever it is: it may be found done at this very moment.
          UPDATE replays h SET state = CASE h.state WHEN 'done' THEN 'planned' ELSE h.state END, ended_at = NULL
          FROM fence f WHERE h.run_id = f.run_id
        ), went_out AS (
          DELETE FROM outcomes o USING fence f, segments s, captures c
          WHERE s.id = f.segment_id AND c.day = s.day AND c.segment_id = s.id
            AND c."row" >= f.first_row AND c."row" < f.first_row + f.rows
            AND o.day = c.day AND o.run_id = f.run_id AND o.capture_id = c.id AND o.work_id = f.id
            AND o.disposition IN ('dead', 'erased')
          RETURNING o.run_id, o.captured_at, o.judged_at, o.primary_version, o.disposition
        ), deltas AS (
          INSERT INTO rollup_deltas (run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
          SELECT run_id, date_trunc('minute', captured_at), date_trunc('minute', judged_at),
                 primary_version, 'dispositions', ARRAY[disposition], ARRAY[-count(*)]
          FROM went_out
          GROUP BY 1, 2, 3, 4, disposition
        )
        SELECT EXISTS (SELECT 1 FROM fence) AS retried`;
      return row?.retried === true;
    },
  };
}
