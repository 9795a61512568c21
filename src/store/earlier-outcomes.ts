import type { PrismaClient } from "./client.js";
import { column } from "./sql.js";
import type { EarlierOutcome } from "./types.js";

/** How captures of one UTC day ended in a run: by primary key, in one day's partitions. */
export async function readEarlier(
  prisma: PrismaClient,
  runId: number,
  day: string,
  captureIds: readonly string[],
): Promise<Map<string, EarlierOutcome>> {
  const rows = await prisma.$queryRaw<({ captureId: string } & EarlierOutcome)[]>`
    SELECT o.capture_id::text AS "captureId", o.disposition, o.result, o.flip,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('output', d.output, 'result', d.result, 'kind', d.kind)), '[]')
       FROM output_diffs d
       WHERE d.day = o.day AND d.run_id = o.run_id AND d.capture_id = o.capture_id) AS outputs
    FROM outcomes o
    WHERE o.day = ${day}::date AND o.run_id = ${runId}
      AND o.capture_id = ANY (${column(captureIds, (id) => id)}::uuid[])`;
  return new Map(rows.map(({ captureId, ...outcome }) => [captureId, outcome]));
}
