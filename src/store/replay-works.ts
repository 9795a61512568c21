import type { PlannedWork, SegmentCaptures } from "../replay/plan.js";
import type { CaptureFilter } from "../selections/filter.js";
import { countMatching, matchingCaptures } from "./capture-filter.js";
import { Prisma } from "./generated/client.js";
import type { Transaction } from "./runs.js";
import { column } from "./sql.js";

/**
 * The order of a sealed selection is worked off in parts, one after the other: so that whoever stops early has seen a
 * random part of it, while a segment is read once in a part, and not for every capture. The first part has so many
 * captures, and each further one makes them a quarter more: so a gate sends a quarter more than it needed at most, and
 * a million captures make 34 parts.
 */
const firstPart = 512;
const partGrowth = 1.25;

/** Works in one statement. */
const batchSize = 5_000;

/** The captures to replay, by segment: in the order of receipt, or of a sealed selection's parts. */
export async function capturesToReplay(
  tx: Pick<Transaction, "$queryRaw">,
  wanted: { deploymentId: number; filter: CaptureFilter; sealedId: number | null; inSealedOrder: boolean },
): Promise<SegmentCaptures[]> {
  const { deploymentId, filter, sealedId, inSealedOrder } = wanted;
  if (sealedId === null) await countMatching(tx, deploymentId, filter);
  const chosen =
    sealedId === null
      ? Prisma.sql`SELECT 0 AS part, m.* FROM (${matchingCaptures(deploymentId, filter)}) AS m`
      : Prisma.sql`
          SELECT ${inSealedOrder ? partOf : Prisma.sql`0`} AS part,
                 c.segment_id, c."row", c.received_at
          FROM selection_members m
          JOIN captures c ON c.day = m.day AND c.id = m.capture_id
          WHERE m.selection_id = ${sealedId} AND c.erasure_id IS NULL`;
  return tx.$queryRaw<SegmentCaptures[]>`
    SELECT c.segment_id::text AS "segmentId", coalesce(e.clock_offset_ms, 0)::float8 AS "skewMs",
           array_agg(c."row" ORDER BY c."row") AS rows,
           array_agg((extract(epoch FROM c.received_at) * 1000)::float8 ORDER BY c."row") AS "atMs"
    FROM (${chosen}) AS c
    JOIN segments s ON s.id = c.segment_id
    LEFT JOIN gateway_epochs e ON e.epoch = s.gateway_epoch
    GROUP BY c.part, c.segment_id, e.clock_offset_ms
    ORDER BY c.part, min(c.received_at), c.segment_id`;
}

const partOf = Prisma.sql`
  CASE WHEN m.position < ${firstPart} THEN 0
  ELSE 1 + floor(ln(m.position / ${firstPart}::float8) / ln(${partGrowth}::float8)) END`;

/** In the order given, which is that of their ids. */
export async function insertWorks(
  tx: Transaction,
  runId: number,
  works: readonly PlannedWork[],
): Promise<void> {
  for (let at = 0; at < works.length; at += batchSize) {
    const batch = works.slice(at, at + batchSize);
    await tx.$executeRaw`
      INSERT INTO work (segment_id, run_id, first_row, rows, row_list, due_ms, skew_ms)
      SELECT segment_id, ${runId}::int, first_row, rows, row_list::int[], due_ms, skew_ms
      FROM unnest(
        ${column(batch, (w) => w.segmentId)}::uuid[],
        ${column(batch, (w) => w.rows[0]!)}::int[],
        ${column(batch, (w) => w.rows.at(-1)! - w.rows[0]! + 1)}::int[],
        ${column(batch, rowList)}::text[],
        ${column(batch, (w) => w.dueMs)}::float8[],
        ${column(batch, (w) => w.skewMs)}::float8[]
      ) WITH ORDINALITY AS w(segment_id, first_row, rows, row_list, due_ms, skew_ms, place)
      ORDER BY place`;
  }
}

/** null: all rows from the first to the last. */
function rowList({ rows }: PlannedWork): string | null {
  return rows.at(-1)! - rows[0]! + 1 === rows.length ? null : `{${rows}}`;
}
