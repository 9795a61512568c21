import type { ComparisonRow } from "./comparisons.js";
import { Prisma } from "./generated/client.js";

/** Columns of an outcome `o`, as {@link comparisonRowOf} reads them. */
export const comparisonColumns = Prisma.sql`
  o.capture_id::text AS "captureId", o.run_id AS "runId", o.captured_at AS "capturedAt",
  o.judged_at AS "judgedAt", o.sample, o.disposition, o.reason, o.result, o.kind, o.signature, o.flip,
  o.primary_version AS "primaryVersion", o.primary_ms AS "primaryMs", o.candidate_ms AS "candidateMs",
  nullif(o.control_ms, 'Infinity') AS "controlMs", o.max_abs AS "maxAbs", o.max_rel AS "maxRel"`;

export type ComparisonColumns = Omit<ComparisonRow, "capturedAtMs" | "judgedAtMs"> & {
  capturedAt: Date;
  judgedAt: Date;
};

export function comparisonRowOf<Row extends ComparisonColumns>(
  row: Row,
): Omit<Row, "capturedAt" | "judgedAt"> & ComparisonRow {
  const { capturedAt, judgedAt, ...rest } = row;
  return { ...rest, capturedAtMs: capturedAt.getTime(), judgedAtMs: judgedAt.getTime() };
}
