import { dayOf } from "../ids.js";
import type { PrismaClient } from "./client.js";
import { type ComparisonColumns, comparisonColumns, comparisonRowOf } from "./comparison-columns.js";
import type { ComparisonQuery, ComparisonSort, ListedComparison } from "./comparisons.js";
import { Prisma } from "./generated/client.js";
import { time } from "./sql.js";

const sortColumns: Record<ComparisonSort, Prisma.Sql> = {
  capturedAt: Prisma.sql`o.captured_at`,
  maxAbs: Prisma.sql`o.max_abs`,
  candidateMs: Prisma.sql`o.candidate_ms`,
};

/**
 * A page by keyset: what lies between two pages may change, yet no row comes twice or is left out, and the last page
 * costs what the first does. The order is that of an index, whose end tells rows apart by their capture.
 */
export async function listComparisons(
  prisma: PrismaClient,
  query: ComparisonQuery,
): Promise<ListedComparison[]> {
  const column = sortColumns[query.sort];
  const direction = query.descending ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const rows = await prisma.$queryRaw<
    (ComparisonColumns & Pick<ListedComparison, "mismatching" | "flips">)[]
  >`
    SELECT ${comparisonColumns},
      ARRAY(
        SELECT d.output FROM output_diffs d
        WHERE d.day = o.day AND d.run_id = o.run_id AND d.capture_id = o.capture_id AND d.result = 'mismatch'
        ORDER BY d.output
      ) AS mismatching,
      (
        SELECT coalesce(
          json_agg(json_build_object('output', d.output, 'from', d.decision_from, 'to', d.decision_to) ORDER BY d.output),
          '[]'
        )
        FROM output_diffs d
        WHERE d.day = o.day AND d.run_id = o.run_id AND d.capture_id = o.capture_id AND d.flip
          AND d.result <> 'ignored'
      ) AS flips
    FROM outcomes o
    WHERE ${Prisma.join(conditions(query), " AND ")}
    ORDER BY ${column} ${direction}, o.capture_id ${direction}
    LIMIT ${query.limit}`;
  return rows.map(comparisonRowOf);
}

function conditions(query: ComparisonQuery): Prisma.Sql[] {
  const { runId, result, sample, output, kind, signature, tag, fromMs, toMs, sort, after } = query;
  const found = [Prisma.sql`o.run_id = ${runId}`];
  // Of a named output, the result that is asked for is its own: another output may have made the whole a mismatch.
  if (result !== null && output === null) found.push(Prisma.sql`o.result = ${result}`);
  if (sample !== null) found.push(Prisma.sql`o.sample = ${sample}`);
  if (signature !== null) found.push(Prisma.sql`o.signature = ${signature}`);
  if (tag !== null) found.push(hasTag(tag));
  if (output !== null) found.push(hasOutput(Prisma.sql`d.output = ${output}`, kind, result));
  else if (kind !== null) {
    found.push(Prisma.sql`(o.kind = ${kind} OR ${hasOutput(Prisma.sql`TRUE`, kind, null)})`);
  }
  // The day says the same again, so that the other days' partitions are not looked at.
  if (fromMs !== null) {
    found.push(Prisma.sql`o.captured_at >= ${time(fromMs)}::timestamptz AND o.day >= ${dayOf(fromMs)}::date`);
  }
  if (toMs !== null) {
    found.push(Prisma.sql`o.captured_at < ${time(toMs)}::timestamptz AND o.day <= ${dayOf(toMs)}::date`);
  }
  if (sort !== "capturedAt") found.push(Prisma.sql`${sortColumns[sort]} IS NOT NULL`);
  if (after !== null) found.push(beyond(query, after));
  return found;
}

function hasTag({ name, value }: NonNullable<ComparisonQuery["tag"]>): Prisma.Sql {
  return Prisma.sql`EXISTS (
    SELECT FROM captures k WHERE k.day = o.day AND k.id = o.capture_id AND k.tags ->> ${name} = ${value}
  )`;
}

function hasOutput(named: Prisma.Sql, kind: string | null, result: string | null): Prisma.Sql {
  return Prisma.sql`EXISTS (
    SELECT FROM output_diffs d
    WHERE d.day = o.day AND d.run_id = o.run_id AND d.capture_id = o.capture_id AND ${named}
      AND ${kind === null ? Prisma.sql`TRUE` : Prisma.sql`d.kind = ${kind}`}
      AND ${result === null ? Prisma.sql`TRUE` : Prisma.sql`d.result = ${result}`}
  )`;
}

function beyond(query: ComparisonQuery, after: NonNullable<ComparisonQuery["after"]>): Prisma.Sql {
  const than = query.descending ? Prisma.sql`<` : Prisma.sql`>`;
  const value =
    query.sort === "capturedAt"
      ? Prisma.sql`${time(after.value)}::timestamptz`
      : // As text: Prisma turns a raw parameter NaN or Infinity into NULL.
        Prisma.sql`${String(after.value)}::text::float8`;
  return Prisma.sql`(${sortColumns[query.sort]}, o.capture_id) ${than} (${value}, ${after.captureId}::uuid)`;
}
