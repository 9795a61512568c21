import type { PrismaClient } from "./client.js";

/**
 * Parts a work that stalled too often: it keeps the first half of its rows, another gets the second. Both have one
 * stall left before they are split in turn, and are suspect: they are done one at a time in a process. Of a paced replay
 * both are due when the whole was.
 *
 * @returns the ids of both; null: the lease was lost, or there is but one row
 */
export async function splitWork(
  prisma: PrismaClient,
  workId: bigint,
  lease: number,
): Promise<[bigint, bigint] | null> {
  const [row] = await prisma.$queryRaw<{ first: bigint; second: bigint }[]>`
    WITH held AS (
      SELECT *, coalesce(row_list, ARRAY(SELECT generate_series(first_row, first_row + rows - 1))) AS meant
      FROM work WHERE id = ${workId} AND lease = ${lease} AND state = 'leased'
      FOR UPDATE
    ), whole AS (
      SELECT *, (cardinality(meant) + 1) / 2 AS half, cardinality(meant) AS n FROM held WHERE cardinality(meant) > 1
    ), first AS (
      UPDATE work w SET state = 'pending', lease_until = NULL, leased_by = NULL, enqueued_at = NULL, stalls = 1,
                        suspect = true, rows = meant[half] - meant[1] + 1,
                        row_list = CASE WHEN whole.row_list IS NOT NULL THEN meant[1:half] END
      FROM whole WHERE w.id = whole.id
      RETURNING w.id
    ), second AS (
      INSERT INTO work (segment_id, run_id, first_row, rows, row_list, stalls, suspect, backfill, due_ms, skew_ms)
      SELECT segment_id, run_id, meant[half + 1], meant[n] - meant[half + 1] + 1,
             CASE WHEN row_list IS NOT NULL THEN meant[half + 1:n] END, 1, true, backfill, due_ms, skew_ms
      FROM whole
      RETURNING id
    )
    SELECT first.id AS first, second.id AS second FROM first, second`;
  return row ? [row.first, row.second] : null;
}
