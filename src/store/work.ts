import type { KeepAnswers } from "../answers/keeping.js";
import { dayOf } from "../ids.js";
import { redactionSchema } from "../redaction/settings.js";
import { type FlowSettings, flowSchema } from "../replay/flow.js";
import type { Endpoint } from "../upstream/endpoint.js";
import { dueForQueue } from "./admission.js";
import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { WorkStore } from "./groups.js";
import { prepared } from "./prepared.js";
import { stateNow } from "./replay-state.js";
import { cleanText } from "./sql.js";
import type { LeasedWork, ReplayTerms, RunKind, WorkSight } from "./types.js";
import { splitWork } from "./work-parts.js";

/** Processes that ask at the same moment for a work that waits mostly get different ones. */
const askersAtATime = 8;

/** The life of a work: pending → leased → done, dead, or pending again. Time is Postgres' own. */
export function createWorkStore(prisma: PrismaClient): WorkStore {
  return {
    async sight(workId) {
      const [row] = await prisma.$queryRaw<SightRow[]>`${prepared}
        SELECT d.name AS "deploymentName", c.name AS "candidateName", r.kind AS "runKind",
               r.model_version_id AS "modelVersionId", w.stalls + (w.state = 'leased')::int AS stalls, w.suspect,
               w.backfill, c.flow, s.last_at AS "lastAt"
        FROM work w
        JOIN segments s ON s.id = w.segment_id
        JOIN runs r ON r.id = w.run_id
        JOIN deployments d ON d.id = r.deployment_id
        JOIN candidates c ON c.id = r.candidate_id
        WHERE w.id = ${workId} AND (w.state = 'pending' OR (w.state = 'leased' AND w.lease_until < now()))`;
      if (row === undefined) return null;
      const { lastAt, backfill, flow, ...sight } = row;
      const { maxAgeMs, concurrency } = flowSchema.parse(flow);
      const expires = maxAgeMs !== null && sight.runKind === "live" && !backfill;
      return { ...sight, concurrency, expiresAtMs: expires ? lastAt.getTime() + maxAgeMs : null };
    },

    async lease(workId, by, leaseMs) {
      const rows = await prisma.$queryRaw<LeaseRow[]>`${prepared}
        WITH taken AS (
          UPDATE work SET state = 'leased', lease = lease + 1, leased_by = ${cleanText(by)},
                          lease_until = now() + ${leaseMs}::float8 * interval '1 millisecond',
                          stalls = stalls + (state = 'leased')::int,
                          -- One that came here past the queue (the part of a split) is looked after like the rest.
                          enqueued_at = coalesce(enqueued_at, now()),
                          generation = (SELECT s.generation FROM segments s WHERE s.id = work.segment_id)
          WHERE id = ${workId} AND (state = 'pending' OR (state = 'leased' AND lease_until < now()))
          RETURNING id, lease, stalls, suspect, backfill, segment_id, run_id, first_row, rows, row_list, skew_ms
        )
        SELECT t.id, t.lease, t.stalls, t.suspect, t.backfill, t.first_row AS "firstRow", t.rows,
               t.row_list AS "rowList", r.id AS "runId", r.kind AS "runKind",
               d.id AS "deploymentId", d.name AS "deploymentName", d.control, c.id AS "candidateId",
               c.name AS "candidateName", c.flow, v.id AS "modelVersionId",
               v.url, v.model, v.version, v.headers, v.sha256, p.body AS policy,
               s.id AS "segmentId", s.blob_key AS "blobKey", s.sha256 AS "segmentSha256",
               s.deployment_id AS "segmentDeploymentId", s.day, d.keep_answers AS "keepAnswers",
               d.keep_match_details AS "keepMatchDetails", d.redaction,
               d.answers_bytes_per_day::float8 AS "answersBytesPerDay", r.source_run_id AS "sourceRunId",
               source.answers_key AS "answersKey", source.answers_sha256 AS "answersSha256",
               ${erasedRows(Prisma.sql`t`)} AS "erasedRows",
               CASE WHEN h.run_id IS NOT NULL THEN jsonb_build_object(
                 'state', ${stateNow(Prisma.sql`h`)}, 'target', h.target->>'kind', 'speed', h.speed, 'concurrency', h.concurrency,
                 'ratePerSecond', h.rate_per_second, 'onFailure', h.on_failure, 'originMs', h.origin_ms,
                 'skewMs', t.skew_ms) END AS replay
        FROM taken t
        JOIN segments s ON s.id = t.segment_id
        JOIN runs r ON r.id = t.run_id
        JOIN deployments d ON d.id = r.deployment_id
        JOIN candidates c ON c.id = r.candidate_id
        JOIN model_versions v ON v.id = r.model_version_id
        JOIN policies p ON p.id = r.policy_id
        LEFT JOIN replays h ON h.run_id = r.id
        LEFT JOIN LATERAL (
          SELECT answers_key, answers_sha256 FROM work w
          WHERE w.run_id = r.source_run_id AND w.segment_id = t.segment_id
            AND w.first_row <= t.first_row AND w.first_row + w.rows >= t.first_row + t.rows
        ) source ON true`;
      return rows[0] ? leasedWork(rows[0]) : null;
    },

    async isOpen(workId) {
      return (await prisma.work.count({ where: { id: workId, state: { in: ["pending", "leased"] } } })) === 1;
    },

    async waitingBeside(workId) {
      const waiting = await prisma.$queryRaw<{ id: bigint }[]>`${prepared}
        -- Apart, and so by the index of what is queued, which is little: to walk all works by their id may take for ever.
        WITH waiting AS MATERIALIZED (
          SELECT other.id FROM work w
          JOIN runs r ON r.id = w.run_id AND r.kind = 'live'
          JOIN work other ON other.run_id = r.id AND other.state = 'pending' AND other.enqueued_at IS NOT NULL
          WHERE w.id = ${workId}
        )
        SELECT id FROM waiting ORDER BY id LIMIT ${askersAtATime}`;
      return waiting[Math.floor(Math.random() * waiting.length)]?.id ?? null;
    },

    async extend(workId, lease, leaseMs) {
      const extended = await prisma.$executeRaw`
        UPDATE work SET lease_until = now() + ${leaseMs}::float8 * interval '1 millisecond'
        WHERE id = ${workId} AND lease = ${lease} AND state = 'leased'`;
      return extended === 1;
    },

    async release(workId, lease) {
      const released = await prisma.work.updateMany({
        where: { id: workId, lease, state: "leased" },
        data: { state: "pending", leaseUntil: null, leasedBy: null, enqueuedAt: null },
      });
      return released.count === 1;
    },

    async renew(workId, lease) {
      const [row] = await prisma.$queryRaw<{ erasedRows: number[] }[]>`
        WITH renewed AS (
          UPDATE work SET generation = (SELECT s.generation FROM segments s WHERE s.id = work.segment_id)
          WHERE id = ${workId} AND lease = ${lease} AND state = 'leased'
          RETURNING segment_id, first_row, rows, row_list
        )
        SELECT ${erasedRows(Prisma.sql`r`)} AS "erasedRows" FROM renewed r JOIN segments s ON s.id = r.segment_id`;
      return row?.erasedRows ?? null;
    },

    split: (workId, lease) => splitWork(prisma, workId, lease),

    async markDead(workId, lease, error) {
      const [row] = await prisma.$queryRaw<{ dead: boolean }[]>`
        WITH ${currentWork(workId)}, fence AS (
          UPDATE work SET state = 'dead', lease_until = NULL, done_at = now(), error = ${cleanText(error)},
                          sweep_after = now() + ${sweepGrace}::interval
          WHERE id = ${workId} AND lease = ${lease} AND state = 'leased' AND id IN (SELECT id FROM current)
          RETURNING id, run_id, segment_id, first_row, rows, row_list
        ), went_in AS (
          INSERT INTO outcomes (day, run_id, capture_id, work_id, captured_at, judged_at, sample, disposition,
                                primary_version, primary_ms, attempts)
          SELECT c.day, f.run_id, c.id, f.id, c.received_at, now(), c.sample,
                 CASE WHEN c.erasure_id IS NULL THEN 'dead' ELSE 'erased' END, c.primary_version, c.primary_ms, 0
          FROM fence f
          JOIN segments s ON s.id = f.segment_id
          JOIN captures c ON c.day = s.day AND c.segment_id = s.id
          WHERE c."row" >= f.first_row AND c."row" < f.first_row + f.rows
            AND (f.row_list IS NULL OR c."row" = ANY (f.row_list))
          ON CONFLICT DO NOTHING
          RETURNING run_id, captured_at, judged_at, primary_version, disposition
        ), deltas AS (
          INSERT INTO rollup_deltas (run_id, captured_minute, judged_minute, primary_version, series, labels, counts)
          SELECT run_id, date_trunc('minute', captured_at), date_trunc('minute', judged_at),
                 primary_version, 'dispositions', ARRAY[disposition], ARRAY[count(*)]
          FROM went_in
          GROUP BY 1, 2, 3, 4, disposition
        )
        SELECT EXISTS (SELECT 1 FROM fence) AS dead`;
      return row?.dead === true;
    },

    dueForQueue: (options) => dueForQueue(prisma, options),
  };
}

/** A work's CTE `current`: there while nothing of its segment was erased since it was leased; held so until the end. */
export function currentWork(workId: bigint): Prisma.Sql {
  return Prisma.sql`current AS MATERIALIZED (
      SELECT w.id FROM work w JOIN segments s ON s.id = w.segment_id AND s.generation = w.generation
      WHERE w.id = ${workId}
      FOR SHARE OF s
    )`;
}

/** Of a work `w` and its segment `s`: the rows that are meant and erased, ascending. */
function erasedRows(w: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`ARRAY (
    SELECT e."row" FROM captures e
    WHERE e.day = s.day AND e.segment_id = s.id AND e.erasure_id IS NOT NULL
      AND e."row" >= ${w}.first_row AND e."row" < ${w}.first_row + ${w}.rows
      AND (${w}.row_list IS NULL OR e."row" = ANY (${w}.row_list))
    ORDER BY e."row")`;
}

/** By then whoever lost the lease has noticed, and writes no more. */
export const sweepGrace = "15 minutes";

interface SightRow extends Omit<WorkSight, "concurrency" | "expiresAtMs"> {
  backfill: boolean;
  flow: unknown;
  lastAt: Date;
}

interface LeaseRow {
  id: bigint;
  lease: number;
  stalls: number;
  suspect: boolean;
  backfill: boolean;
  firstRow: number;
  rows: number;
  rowList: number[] | null;
  erasedRows: number[];
  runId: number;
  runKind: RunKind;
  deploymentId: number;
  deploymentName: string;
  control: Endpoint | null;
  candidateId: number;
  candidateName: string;
  flow: unknown;
  modelVersionId: number;
  url: string;
  model: string;
  version: string | null;
  headers: Record<string, string>;
  sha256: string | null;
  policy: unknown;
  segmentId: string;
  blobKey: string;
  segmentSha256: string;
  segmentDeploymentId: number;
  day: Date;
  keepAnswers: KeepAnswers;
  keepMatchDetails: number;
  redaction: unknown;
  answersBytesPerDay: number;
  sourceRunId: number | null;
  answersKey: string | null;
  answersSha256: string | null;
  replay: ReplayTerms | null;
}

function leasedWork(row: LeaseRow): LeasedWork {
  const { url, model, version, headers, segmentId, blobKey, segmentSha256, segmentDeploymentId, day } = row;
  const { sourceRunId, answersKey, answersSha256 } = row;
  const answers = answersKey && answersSha256 ? { key: answersKey, sha256: answersSha256 } : null;
  return {
    id: row.id,
    lease: row.lease,
    stalls: row.stalls,
    suspect: row.suspect,
    backfill: row.backfill,
    runId: row.runId,
    runKind: row.runKind,
    deploymentId: row.deploymentId,
    deploymentName: row.deploymentName,
    candidateId: row.candidateId,
    candidateName: row.candidateName,
    modelVersionId: row.modelVersionId,
    flow: flowOf(row),
    endpoint: { url, model, version, headers },
    sha256: row.sha256,
    // Its own noise is not measured by asking it twice.
    control: row.replay?.target === "control" ? null : row.control,
    policy: row.policy,
    keepAnswers: row.keepAnswers,
    keepMatchDetails: row.keepMatchDetails,
    redaction: redactionSchema.parse(row.redaction),
    answersBytesPerDay: row.answersBytesPerDay,
    source: sourceRunId === null ? null : { runId: sourceRunId, answers },
    segment: {
      id: segmentId,
      blobKey,
      sha256: segmentSha256,
      deploymentId: segmentDeploymentId,
      day: dayOf(day.getTime()),
    },
    firstRow: row.firstRow,
    rows: row.rows,
    rowList: keptRows(row),
    erasedRows: row.erasedRows,
    replay: row.replay,
  };
}

/** What is no candidate has no settings: the replay's own cap counts. */
function flowOf({ flow, replay }: LeaseRow): FlowSettings {
  if (replay === null || replay.target === "candidate") return flowSchema.parse(flow);
  return { ...flowSchema.parse({}), concurrency: replay.concurrency };
}

/** Null: all from the first on. */
function keptRows({ firstRow, rows, rowList, erasedRows }: LeaseRow): readonly number[] | null {
  if (erasedRows.length === 0) return rowList;
  const erased = new Set(erasedRows);
  const meant = rowList ?? Array.from({ length: rows }, (_, place) => firstRow + place);
  return meant.filter((row) => !erased.has(row));
}
