import { UnderstudyError } from "../errors.js";
import { type CaptureFilter, selectedMax } from "../selections/filter.js";
import { Prisma } from "./generated/client.js";
import type { Transaction } from "./runs.js";
import { column, jsonText, time } from "./sql.js";

/**
 * The captures that a filter means, as the body of a query: `SELECT … FROM captures c WHERE …`, with the columns that
 * say where a capture lies. A `sample` is drawn by a hash of the ids, so it is the same at every time.
 */
export function matchingCaptures(deploymentId: number, filter: CaptureFilter): Prisma.Sql {
  const conditions = Prisma.join(
    [
      Prisma.sql`c.deployment_id = ${deploymentId} AND c.erasure_id IS NULL`,
      ...conditionsOf(deploymentId, filter),
    ],
    " AND ",
  );
  const sampled =
    filter.sample === undefined
      ? Prisma.empty
      : Prisma.sql`ORDER BY md5(c.id::text), c.id LIMIT ${filter.sample}`;
  return Prisma.sql`
    SELECT c.id, c.day, c.segment_id, c."row", c.received_at FROM captures c WHERE ${conditions} ${sampled}`;
}

/**
 * How many captures a filter means.
 * @throws UnderstudyError `conflict` above {@link selectedMax}
 */
export async function countMatching(
  tx: Pick<Transaction, "$queryRaw">,
  deploymentId: number,
  filter: CaptureFilter,
): Promise<number> {
  const [row] = await tx.$queryRaw<{ n: number }[]>`
    SELECT count(*)::int AS n FROM (
      SELECT 1 FROM (${matchingCaptures(deploymentId, filter)}) AS matching LIMIT ${selectedMax + 1}
    ) AS counted`;
  if (row!.n <= selectedMax) return row!.n;
  throw new UnderstudyError("conflict", `The filter means more than ${selectedMax} captures.`, {
    hint: "Narrow the time, or take a sample.",
  });
}

function conditionsOf(deploymentId: number, filter: CaptureFilter): Prisma.Sql[] {
  const firstOf = (version: string) => Prisma.sql`
    (SELECT min(v.received_at) FROM captures v
     WHERE v.deployment_id = ${deploymentId} AND v.primary_version = ${version})`;
  const { from, to, sinceMs, status, tags } = filter;
  return [
    ...given(
      from,
      (atMs) => Prisma.sql`
      c.received_at >= ${time(atMs)}::timestamptz AND c.day >= (${time(atMs)}::timestamptz AT TIME ZONE 'UTC')::date`,
    ),
    ...given(
      to,
      (atMs) => Prisma.sql`
      c.received_at < ${time(atMs)}::timestamptz AND c.day <= (${time(atMs)}::timestamptz AT TIME ZONE 'UTC')::date`,
    ),
    ...given(sinceMs, (ms) => Prisma.sql`c.received_at >= now() - ${ms}::float8 * interval '1 millisecond'`),
    ...given(
      status,
      (words) => Prisma.sql`
      (c.status::text = ANY (${column(words, (word) => word)}::text[])
       OR (c.status / 100)::text || 'xx' = ANY (${column(words, (word) => word)}::text[]))`,
    ),
    ...when(filter.errorsOnly, Prisma.sql`c.status >= 400`),
    ...given(filter.primaryVersion, (version) => Prisma.sql`c.primary_version = ${version}`),
    ...given(filter.beforeVersion, (version) => Prisma.sql`c.received_at < ${firstOf(version)}`),
    ...given(filter.afterVersion, (version) => Prisma.sql`c.received_at >= ${firstOf(version)}`),
    ...given(tags, (wanted) => Prisma.sql`c.tags @> ${jsonText(wanted)}::jsonb`),
    ...given(filter.minPrimaryMs, (ms) => Prisma.sql`c.primary_ms >= ${ms}::float8`),
    ...given(filter.maxPrimaryMs, (ms) => Prisma.sql`c.primary_ms <= ${ms}::float8`),
    ...divergedBefore(deploymentId, filter),
    ...when(filter.baseOnly, Prisma.sql`c.sample = 'base'`),
  ];
}

/** By the primary key of outcomes: its day is the capture's own. A rejudge sent nothing, and says nothing new. */
function divergedBefore(deploymentId: number, filter: CaptureFilter): Prisma.Sql[] {
  const { divergedIn, divergedInRun, signature } = filter;
  if (divergedIn === undefined && divergedInRun === undefined) return [];
  const runs = Prisma.join(
    [
      Prisma.sql`r.deployment_id = ${deploymentId}`,
      ...given(divergedIn, (name) => Prisma.sql`k.name = ${name} AND r.kind <> 'rejudge'`),
      ...given(divergedInRun, (id) => Prisma.sql`r.id = ${id}`),
    ],
    " AND ",
  );
  const alike = signature === undefined ? Prisma.empty : Prisma.sql`AND o.signature = ${signature}`;
  return [
    Prisma.sql`EXISTS (
      SELECT 1 FROM outcomes o
      WHERE o.day = c.day AND o.capture_id = c.id AND o.result = 'mismatch' ${alike}
        AND o.run_id = ANY (ARRAY (SELECT r.id FROM runs r JOIN candidates k ON k.id = r.candidate_id WHERE ${runs})))`,
  ];
}

const given = <T>(value: T | undefined, condition: (value: T) => Prisma.Sql): Prisma.Sql[] =>
  value === undefined ? [] : [condition(value)];

const when = (wanted: boolean | undefined, condition: Prisma.Sql): Prisma.Sql[] =>
  wanted ? [condition] : [];
