import type { PrismaClient } from "./client.js";

/** What the outcomes and segments of a paced replay say of its time line. */
export interface ReplayFidelity {
  /** Median lateness in the last tenth of the time line minus that in the first; null: it has not ended, or has none. */
  driftMs: number | null;
  /** What the clock of each gateway that captured some of it was ahead of Postgres' clock. */
  skew: { gateway: string; offsetMs: number }[];
}

/** Both ends of the time line are read by index; the whole of it is in the rollups. */
export async function readFidelity(prisma: PrismaClient, runId: number): Promise<ReplayFidelity> {
  const [drift] = await prisma.$queryRaw<{ driftMs: number | null }[]>`
    WITH line AS (
      SELECT to_timestamp(origin_ms / 1000) AS begins, length_ms / 10 * interval '1 millisecond' AS tenth,
             to_timestamp((origin_ms + length_ms) / 1000) AS ends
      FROM replays WHERE run_id = ${runId} AND speed IS NOT NULL AND state = 'done'
    )
    SELECT (
      SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY late_ms) FROM outcomes
      WHERE run_id = ${runId} AND captured_at > line.ends - line.tenth
    ) - (
      SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY late_ms) FROM outcomes
      WHERE run_id = ${runId} AND captured_at < line.begins + line.tenth
    ) AS "driftMs"
    FROM line`;
  const skew = await prisma.$queryRaw<ReplayFidelity["skew"]>`
    SELECT e.gateway, avg(e.clock_offset_ms)::float8 AS "offsetMs"
    FROM gateway_epochs e
    WHERE e.epoch IN (
      SELECT s.gateway_epoch FROM work w JOIN segments s ON s.id = w.segment_id
      JOIN replays p ON p.run_id = w.run_id AND p.speed IS NOT NULL
      WHERE w.run_id = ${runId})
    GROUP BY e.gateway ORDER BY e.gateway`;
  return { driftMs: drift?.driftMs ?? null, skew };
}
