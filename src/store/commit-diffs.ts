import type { OutputComparison } from "../compare/types.js";
import { bools, float8s, int8s, jsons, texts, times, uuids } from "./binary-columns.js";
import { Prisma } from "./generated/client.js";
import { shapeLiteral } from "./signature-groups.js";
import { storedText } from "./sql.js";
import type { OutcomeRow } from "./types.js";

/** The part of a commit that keeps what each output came to. */
export function insertDiffs(rows: readonly OutcomeRow[]): Prisma.Sql {
  const outputs = rows.flatMap((row) => distinct(row.outputs).map((o) => ({ row, o })));
  return Prisma.sql`
      INSERT INTO output_diffs (day, run_id, capture_id, output, result, kind, datatype, shape, elements, mismatches,
                                max_abs, max_rel, mean_abs, rmse, cosine, non_finite_primary, non_finite_candidate,
                                flip, decision_from, decision_to, captured_at, comparison_max_abs, comparison_ms,
                                details)
      SELECT (o.captured_at AT TIME ZONE 'UTC')::date, f.run_id, o.capture_id, o.output, o.result, o.kind, o.datatype,
             o.shape::bigint[], o.elements, o.mismatches, o.max_abs, o.max_rel, o.mean_abs, o.rmse, o.cosine,
             o.non_finite_primary, o.non_finite_candidate, o.flip, o.decision_from, o.decision_to,
             CASE WHEN o.kind IS NOT NULL THEN o.captured_at END, o.comparison_max_abs, o.comparison_ms, o.details
      FROM fence f, (
        SELECT unnest(${uuids(outputs, ({ row }) => row.captureId)}::uuid[]) AS capture_id,
               unnest(${times(outputs, ({ row }) => row.capturedAtMs)}::timestamptz[]) AS captured_at,
               unnest(${texts(outputs, ({ o }) => o.output)}::text[]) AS output,
               unnest(${texts(outputs, ({ o }) => o.result)}::text[]) AS result,
               unnest(${texts(outputs, ({ o }) => o.kind)}::text[]) AS kind,
               unnest(${texts(outputs, ({ o }) => o.datatype)}::text[]) AS datatype,
               unnest(${texts(outputs, ({ o }) => shapeLiteral(o.shape))}::text[]) AS shape,
               unnest(${int8s(outputs, ({ o }) => o.elements)}::bigint[]) AS elements,
               unnest(${int8s(outputs, ({ o }) => o.mismatches)}::bigint[]) AS mismatches,
               unnest(${float8s(outputs, ({ o }) => o.maxAbs)}::float8[]) AS max_abs,
               unnest(${float8s(outputs, ({ o }) => o.maxRel)}::float8[]) AS max_rel,
               unnest(${float8s(outputs, ({ o }) => o.meanAbs)}::float8[]) AS mean_abs,
               unnest(${float8s(outputs, ({ o }) => o.rmse)}::float8[]) AS rmse,
               unnest(${float8s(outputs, ({ o }) => o.cosine)}::float8[]) AS cosine,
               unnest(${int8s(outputs, ({ o }) => o.nonFinitePrimary)}::bigint[]) AS non_finite_primary,
               unnest(${int8s(outputs, ({ o }) => o.nonFiniteCandidate)}::bigint[]) AS non_finite_candidate,
               unnest(${bools(outputs, ({ o }) => o.decision?.flip)}::bool[]) AS flip,
               unnest(${texts(outputs, ({ o }) => o.decision?.from)}::text[]) AS decision_from,
               unnest(${texts(outputs, ({ o }) => o.decision?.to)}::text[]) AS decision_to,
               unnest(${float8s(outputs, ({ row, o }) => (o.kind === null ? null : row.maxAbs))}::float8[])
                 AS comparison_max_abs,
               unnest(${float8s(outputs, ({ row, o }) => (o.kind === null ? null : row.candidateMs))}::float8[])
                 AS comparison_ms,
               unnest(${jsons(outputs, ({ o }) => diffDetails(o))}::jsonb[]) AS details
      ) AS o`;
}

/** An answer that names an output twice must not refuse its commit for ever: of one name, as Postgres keeps it, the first. */
function distinct(outputs: readonly OutputComparison[]): readonly OutputComparison[] {
  if (outputs.length < 2) return outputs;
  const seen = new Set<string>();
  return outputs.filter(({ output }) => {
    const name = storedText(output);
    if (seen.has(name)) return false;
    seen.add(name);
    return true;
  });
}

/** Finite numbers of one datatype and shape, every pair the same, and nothing more to be said. */
function isSame(o: OutputComparison): boolean {
  return (
    o.maxAbs === 0 &&
    o.nonFinitePrimary === 0 &&
    o.nonFiniteCandidate === 0 &&
    o.datatype === o.candidateDatatype &&
    o.statistic === undefined &&
    o.maxUlps === undefined &&
    o.decision?.changes === undefined
  );
}

/** What is shown of one output but never searched; null where {@link isSame} has it, as of most: its columns say it. */
function diffDetails(o: OutputComparison) {
  if (isSame(o)) return null;
  const { worst, candidateDatatype, candidateShape, differences, histogram, atolToPass, statistic, maxUlps } =
    o;
  const changes = o.decision?.changes;
  return {
    worst,
    candidateDatatype,
    candidateShape,
    differences,
    histogram,
    atolToPass,
    statistic,
    maxUlps,
    changes,
  };
}
