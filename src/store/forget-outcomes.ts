import type { PrismaClient } from "./client.js";

/**
 * Turns the outcomes of a segment's marked captures into `erased`, in every run: nothing stays of what was compared. The
 * ledger's account follows in the same statement. Rates keep what they counted: a count names nobody.
 *
 * @returns how many outcomes were turned
 */
export async function forgetOutcomes(
  prisma: PrismaClient,
  segment: { id: string; day: string; deploymentId: number },
): Promise<number> {
  const [row] = await prisma.$queryRaw<{ turned: number }[]>`
    WITH before AS MATERIALIZED (
      SELECT o.day, o.run_id, o.capture_id, o.captured_at, o.judged_at, o.primary_version,
             CASE WHEN o.disposition IN ('candidate_error', 'not_replayed')
               THEN concat_ws(':', o.disposition, o.reason) ELSE o.disposition END AS label,
             o.details ->> 'message' AS message
      FROM captures c JOIN outcomes o ON o.day = c.day AND o.capture_id = c.id
      WHERE c.day = ${segment.day}::date AND c.segment_id = ${segment.id}::uuid AND c.erasure_id IS NOT NULL
        AND o.run_id = ANY (ARRAY (SELECT id FROM runs WHERE deployment_id = ${segment.deploymentId}))
        AND o.disposition <> 'erased'
      FOR UPDATE OF o
    ), quoted AS (
      -- A replay that a failure ended quotes it.
      UPDATE replays r SET error = 'A request failed; it was erased since' FROM before b
      WHERE r.run_id = b.run_id AND b.message <> '' AND position(b.message IN r.error) > 0
    ), outputs AS (
      DELETE FROM output_diffs d USING before b
      WHERE d.day = b.day AND d.run_id = b.run_id AND d.capture_id = b.capture_id
    ), turned AS (
      UPDATE outcomes o
      SET disposition = 'erased', reason = NULL, result = NULL, kind = NULL, signature = NULL, flip = NULL,
          candidate_ms = NULL, control_ms = NULL, late_ms = NULL, max_abs = NULL, max_rel = NULL, details = NULL
      FROM before b
      WHERE o.day = b.day AND o.run_id = b.run_id AND o.capture_id = b.capture_id
    ), deltas AS (
      INSERT INTO rollup_deltas (run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
      SELECT run_id, date_trunc('minute', captured_at), date_trunc('minute', judged_at), primary_version,
             'dispositions', ARRAY[label, 'erased'], ARRAY[-count(*), count(*)]
      FROM before
      GROUP BY 1, 2, 3, 4, label
    )
    SELECT count(*)::int AS turned FROM before`;
  return row!.turned;
}
