import { dayOf } from "../ids.js";
import type { PrismaClient } from "./client.js";
import { type ComparisonColumns, comparisonColumns, comparisonRowOf } from "./comparison-columns.js";
import type { ComparisonQuery, ComparisonSort, ListedComparison } from "./comparisons.js";
import { Prisma } from "./generated/client.js";
import { jsonText, time } from "./sql.js";

/** What rows are sorted by: of an outcome, and as it stands with each of its outputs that differ. */
const sortColumns: Record<ComparisonSort, { outcome: Prisma.Sql; output: Prisma.Sql }> = {
  capturedAt: { outcome: Prisma.sql`o.captured_at`, output: Prisma.sql`d.captured_at` },
  maxAbs: { outcome: Prisma.sql`o.max_abs`, output: Prisma.sql`d.comparison_max_abs` },
  candidateMs: { outcome: Prisma.sql`o.candidate_ms`, output: Prisma.sql`d.comparison_ms` },
};

/**
 * A page by keyset: what lies between two pages may change, yet no row comes twice or is left out, and the last page
 * costs what the first does. Rows are found in the order of an index, whose end tells rows apart by their capture, and
 * that begins with what divergences are rare by: so the cost of a page does not grow with the table.
 */
export async function listComparisons(
  prisma: PrismaClient,
  query: ComparisonQuery,
): Promise<ListedComparison[]> {
  if (await lacksOutput(prisma, query)) return [];
  const streams = await streamsOf(prisma, query);
  const order = (value: Prisma.Sql, capture: Prisma.Sql) => {
    const direction = query.descending ? Prisma.sql`DESC` : Prisma.sql`ASC`;
    return Prisma.sql`ORDER BY ${value} ${direction}, ${capture} ${direction}`;
  };
  const heads = streams.flatMap(({ from, of, value, where, limit }) => {
    const capture = Prisma.sql`${of}.capture_id`;
    const conditions = [...where, ...beyond(query, value, capture), ...numbered(query, value)];
    return rangeParts(query, of).map(
      (within) => Prisma.sql`(
      SELECT ${of}.day, ${capture}, ${value} AS value FROM ${from}
      WHERE ${Prisma.join([...conditions, ...within], " AND ")} ${order(value, capture)} LIMIT ${limit})`,
    );
  });
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
    FROM (
      SELECT * FROM (${Prisma.join(heads, " UNION ")}) AS head
      ${order(Prisma.sql`value`, Prisma.sql`capture_id`)} LIMIT ${query.limit}
    ) AS page
    JOIN LATERAL (
      SELECT * FROM outcomes o
      WHERE o.day = page.day AND o.run_id = ${query.runId} AND o.capture_id = page.capture_id
    ) AS o ON TRUE
    ${order(Prisma.sql`page.value`, Prisma.sql`page.capture_id`)}`;
  return rows.map(comparisonRowOf);
}

/** Rows in the order that is asked for. */
interface Stream {
  from: Prisma.Sql;
  /** The table in it that names day and capture. */
  of: Prisma.Sql;
  value: Prisma.Sql;
  where: Prisma.Sql[];
  limit: Prisma.Sql;
}

/**
 * Outcomes by their own columns; outputs that differ by theirs, each with its outcome where that is asked for something.
 * A kind alone is that of the whole, or of any output.
 */
async function streamsOf(prisma: PrismaClient, query: ComparisonQuery): Promise<Stream[]> {
  const { runId, result, output, kind, sort } = query;
  const outcomes = (...where: Prisma.Sql[]): Stream => ({
    from: Prisma.sql`outcomes o`,
    of: Prisma.sql`o`,
    value: sortColumns[sort].outcome,
    where: [Prisma.sql`o.run_id = ${runId}`, ...where, ...ofWhole(query)],
    limit: Prisma.sql`${query.limit}`,
  });
  const outputs = (where: Prisma.Sql[], whole: Prisma.Sql[] = []): Stream => {
    const wanted = [...whole, ...ofWhole(query)];
    return {
      from:
        wanted.length === 0
          ? Prisma.sql`output_diffs d`
          : Prisma.sql`output_diffs d
              JOIN outcomes o ON o.day = d.day AND o.run_id = d.run_id AND o.capture_id = d.capture_id`,
      of: Prisma.sql`d`,
      value: sortColumns[sort].output,
      where: [Prisma.sql`d.run_id = ${runId} AND d.kind IS NOT NULL`, ...where, ...wanted],
      // What is asked of an output goes together, which Postgres does not know: it expects so few rows that it would
      // read and sort them all. Of a number that it cannot see it expects a tenth of them, and goes by the order.
      limit: Prisma.sql`(SELECT ${query.limit}::int)`,
    };
  };
  const wholeResult = result === null ? [] : [resultIs(result)];
  if (output === null) {
    if (kind === null) return [outcomes(...wholeResult)];
    const names = await outputsOfKind(prisma, runId, kind);
    return [
      outcomes(Prisma.sql`o.kind = ${kind}`, ...wholeResult),
      ...names.map((name) => outputs([Prisma.sql`d.kind = ${kind} AND d.output = ${name}`], wholeResult)),
    ];
  }
  // Of a named output, the result that is asked for is its own: another output may have made the whole a mismatch.
  const named = Prisma.sql`d.output = ${output}`;
  const ownResult = result === null ? [] : [Prisma.sql`d.result = ${result}`];
  if (kind !== null) return [outputs([named, Prisma.sql`d.kind = ${kind}`, ...ownResult])];
  if (result === "mismatch") return [outputs([named, ...ownResult])];
  return [
    outcomes(Prisma.sql`EXISTS (
      SELECT FROM output_diffs d
      WHERE d.day = o.day AND d.run_id = o.run_id AND d.capture_id = o.capture_id
        AND ${Prisma.join([named, ...ownResult], " AND ")}
    )`),
  ];
}

/** Names of the outputs that differ in this way, by leaps through an index. */
async function outputsOfKind(prisma: PrismaClient, runId: number, kind: string): Promise<string[]> {
  const next = (after: Prisma.Sql) => Prisma.sql`
    SELECT min(output) AS name FROM output_diffs d
    WHERE d.run_id = ${runId} AND d.kind = ${kind} AND d.kind IS NOT NULL ${after}`;
  const rows = await prisma.$queryRaw<{ name: string }[]>`
    WITH RECURSIVE found AS (
      (${next(Prisma.empty)})
      UNION ALL
      SELECT (${next(Prisma.sql`AND d.output > found.name`)}) FROM found WHERE found.name IS NOT NULL
    )
    SELECT name FROM found WHERE name IS NOT NULL`;
  return rows.map(({ name }) => name);
}

/** Whether nothing can be found, since the run never had this output: a slip of the pen would look at every row. */
async function lacksOutput(prisma: PrismaClient, { runId, output }: ComparisonQuery): Promise<boolean> {
  if (output === null) return false;
  const [row] = await prisma.$queryRaw<{ some: boolean; this: boolean }[]>`
    SELECT count(*) > 0 AS some, coalesce(bool_or(series = ${`output/${output}`}), FALSE) AS this
    FROM (
      SELECT series FROM rollups WHERE run_id = ${runId} AND axis = 'captured' AND level = 'ever'
      UNION ALL
      SELECT series FROM rollup_deltas WHERE run_id = ${runId}
    ) AS counted
    WHERE series LIKE 'output/%'`;
  // Only the base sample is counted: of a run without any, nothing is known.
  return row!.some && !row!.this;
}

function resultIs(result: NonNullable<ComparisonQuery["result"]>): Prisma.Sql {
  // Said twice where a partial index wants to hear it.
  return result === "match"
    ? Prisma.sql`o.result = 'match'`
    : Prisma.sql`o.result = ${result} AND o.result <> 'match'`;
}

/** Conditions on the outcome `o`, of a comparison as a whole. */
function ofWhole({ sample, signature, tag }: ComparisonQuery): Prisma.Sql[] {
  const found: Prisma.Sql[] = [];
  if (sample !== null)
    found.push(sample === "base" ? Prisma.sql`o.sample = 'base'` : Prisma.sql`o.sample = 'targeted'`);
  if (signature !== null) found.push(Prisma.sql`o.signature = ${signature}`);
  if (tag !== null) found.push(hasTag(tag));
  return found;
}

/**
 * The range in parts, each by conditions on the table `of`. By time it is one, and the day says the same again, so that
 * the other days' partitions are not looked at. By a number, whole days are found in its order alone; a day that the
 * range cuts is a part of its own, for which Postgres chooses between that order and the time by how much is left of it.
 */
function rangeParts({ fromMs, toMs, sort }: ComparisonQuery, of: Prisma.Sql): Prisma.Sql[][] {
  const since =
    fromMs === null
      ? null
      : { at: Prisma.sql`${of}.captured_at >= ${time(fromMs)}::timestamptz`, day: dayOf(fromMs) };
  const until =
    toMs === null
      ? null
      : { at: Prisma.sql`${of}.captured_at < ${time(toMs)}::timestamptz`, day: dayOf(toMs) };
  const onDay = (how: "=" | "<" | "<=" | ">" | ">=", day: string) =>
    Prisma.sql`${of}.day ${Prisma.raw(how)} ${day}::date`;
  if (sort === "capturedAt" || (since !== null && since.day === until?.day)) {
    return [
      [
        ...(since === null ? [] : [since.at, onDay(">=", since.day)]),
        ...(until === null ? [] : [until.at, onDay("<=", until.day)]),
      ],
    ];
  }
  return [
    [...(since === null ? [] : [onDay(">", since.day)]), ...(until === null ? [] : [onDay("<", until.day)])],
    ...(since === null ? [] : [[since.at, onDay("=", since.day)]]),
    ...(until === null ? [] : [[until.at, onDay("=", until.day)]]),
  ];
}

function numbered({ sort }: ComparisonQuery, value: Prisma.Sql): Prisma.Sql[] {
  return sort === "capturedAt" ? [] : [Prisma.sql`${value} IS NOT NULL`];
}

function hasTag({ name, value }: NonNullable<ComparisonQuery["tag"]>): Prisma.Sql {
  return Prisma.sql`EXISTS (
    SELECT FROM captures k WHERE k.day = o.day AND k.id = o.capture_id AND k.tags @> ${jsonText({ [name]: value })}::jsonb
  )`;
}

function beyond(query: ComparisonQuery, column: Prisma.Sql, capture: Prisma.Sql): Prisma.Sql[] {
  if (query.after === null) return [];
  const than = query.descending ? Prisma.sql`<` : Prisma.sql`>`;
  const value =
    query.sort === "capturedAt"
      ? Prisma.sql`${time(query.after.value)}::timestamptz`
      : // As text: Prisma turns a raw parameter NaN or Infinity into NULL.
        Prisma.sql`${String(query.after.value)}::text::float8`;
  return [Prisma.sql`(${column}, ${capture}) ${than} (${value}, ${query.after.captureId}::uuid)`];
}
