import type { Transaction } from "./runs.js";
import type { Backfill } from "./types.js";

/**
 * Gives a live run work for segments that were catalogued before it was opened, the newest first, until there are
 * `capturesMax` captures in them: the last may have more than are wanted. The works wait in Postgres until the reconciler queues them.
 *
 * @returns how many captures the run was given
 */
export async function backfillRun(
  tx: Transaction,
  runId: number,
  { sinceMs, capturesMax }: Backfill,
): Promise<number> {
  const since = new Date(sinceMs ?? 0);
  const [row] = await tx.$queryRaw<{ captures: number }[]>`
    WITH newest AS (
      SELECT s.id, s.captures, sum(s.captures) OVER (ORDER BY s.last_at DESC, s.id) AS so_far
      FROM runs r JOIN segments s ON s.deployment_id = r.deployment_id
      WHERE r.id = ${runId} AND s.last_at >= ${since}
    ), given AS (
      INSERT INTO work (segment_id, run_id, first_row, rows, backfill)
      SELECT id, ${runId}, 0, captures, true FROM newest WHERE so_far - captures < ${capturesMax}
      ON CONFLICT DO NOTHING
      RETURNING segment_id, rows
    ), account AS (
      INSERT INTO ledger_deltas (deployment_id, minute, labels, counts)
      SELECT c.deployment_id, c.minute, ARRAY[${`backfilled:${runId}`}], ARRAY[sum(c.captures)]
      FROM given JOIN segment_counts c USING (segment_id)
      GROUP BY 1, 2
    )
    SELECT coalesce(sum(rows), 0)::int AS captures FROM given`;
  return row!.captures;
}
