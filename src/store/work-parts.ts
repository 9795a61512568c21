import type { PrismaClient } from "./client.js";

/**
 * Parts a work that stalled too often: it keeps the first half of its rows, another gets the second. Both have one
 * stall left before they are split in turn, and are suspect: they are done one at a time in a process.
 *
 * @returns the ids of both; null: the lease was lost, or there is but one row
 */
export async function splitWork(
  prisma: PrismaClient,
  workId: bigint,
  lease: number,
): Promise<[bigint, bigint] | null> {
  const [row] = await prisma.$queryRaw<{ first: bigint; second: bigint }[]>`
    WITH fence AS (
      UPDATE work SET state = 'pending', lease_until = NULL, leased_by = NULL, enqueued_at = NULL, stalls = 1,
                      suspect = true, rows = (rows + 1) / 2
      WHERE id = ${workId} AND lease = ${lease} AND state = 'leased' AND rows > 1
      RETURNING id, segment_id, run_id, first_row, rows, backfill
    ), whole AS (
      -- As it was in the snapshot, before the update.
      SELECT rows FROM work WHERE id = ${workId}
    ), second AS (
      INSERT INTO work (segment_id, run_id, first_row, rows, stalls, suspect, backfill)
      SELECT f.segment_id, f.run_id, f.first_row + f.rows, w.rows - f.rows, 1, true, f.backfill
      FROM fence f, whole w
      RETURNING id
    )
    SELECT fence.id AS first, second.id AS second FROM fence, second`;
  return row ? [row.first, row.second] : null;
}
