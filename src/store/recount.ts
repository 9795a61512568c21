import type { PrismaClient } from "./client.js";
import { createLedgerReader } from "./ledger.js";
import type { Ledger } from "./types.js";

/** A catalogued segment, to be counted anew from its file. */
export interface RecountSegment {
  id: string;
  day: string;
  blobKey: string;
  sha256: string;
  captures: number;
}

/** One UTC day of a deployment: what the ledger says, and what the rows of single captures say. */
export interface RecountDay {
  day: string;
  ledger: Ledger;
  /** Captures of the day that retention dropped: the ledger counts them, and there are no rows of them. */
  dropped: number;
  /** Rows of captures. */
  captured: number;
  /** Of each candidate's live run. */
  candidates: {
    name: string;
    /** Outcome rows by label: `compared`, `candidate_error:timeout`, … */
    outcomes: Record<string, number>;
    /** Captures that the run has work for, and no outcome. */
    pending: number;
    /** Outcomes of captures that there are not. */
    strays: number;
  }[];
}

/** All of one snapshot. */
export interface RecountFacts {
  segments: RecountSegment[];
  days: RecountDay[];
  /** What the ledger has as buffered, by epoch of a gateway. */
  buffered: Map<string, number>;
}

/** Counts rows one by one, where everything else reads rollups: for `understudy recount`, over a patient client. */
export interface RecountReader {
  facts(deploymentId: number): Promise<RecountFacts>;
  /** Ids of a segment's rows of captures. */
  captureIds(segment: Pick<RecountSegment, "id" | "day">): Promise<string[]>;
  /** Those of the segments that are catalogued. */
  catalogued(segmentIds: readonly string[]): Promise<Set<string>>;
}

/** Counting tens of millions of rows takes its time. */
export const snapshotMs = 600_000;

export function createRecountReader(prisma: PrismaClient): RecountReader {
  return {
    facts: (deploymentId) =>
      prisma.$transaction((tx) => readFacts(tx, deploymentId), {
        isolationLevel: "RepeatableRead",
        timeout: snapshotMs,
      }),
    captureIds: async ({ id, day }) => {
      const rows = await prisma.$queryRaw<{ id: string }[]>`
        SELECT id::text AS id FROM captures WHERE day = ${day}::date AND segment_id = ${id}::uuid`;
      return rows.map((row) => row.id);
    },
    catalogued: async (segmentIds) => {
      const rows = await prisma.segment.findMany({
        where: { id: { in: [...segmentIds] } },
        select: { id: true },
      });
      return new Set(rows.map((row) => row.id));
    },
  };
}

type Reader = Pick<PrismaClient, "$queryRaw" | "$executeRaw">;

async function readFacts(tx: Reader, deploymentId: number): Promise<RecountFacts> {
  const segments = await tx.$queryRaw<RecountSegment[]>`
    SELECT id::text AS id, to_char(day, 'YYYY-MM-DD') AS day, blob_key AS "blobKey", sha256, captures
    FROM segments WHERE deployment_id = ${deploymentId} ORDER BY id`;
  const buffered = await tx.$queryRaw<{ epoch: string; n: number }[]>`
    SELECT epoch::text AS epoch, sum(buffered)::float8 AS n FROM ledger_counts
    WHERE deployment_id = ${deploymentId} GROUP BY epoch HAVING sum(buffered) > 0`;
  const ledger = createLedgerReader(tx);
  const said: Pick<RecountDay, "day" | "ledger">[] = [];
  for (const day of [...new Set(segments.map((segment) => segment.day))].sort()) {
    const fromMs = Date.parse(`${day}T00:00:00Z`);
    said.push({ day, ledger: await ledger.read(deploymentId, { fromMs, toMs: fromMs + 86_400_000 }) });
  }
  const days: RecountDay[] = [];
  for (const one of said) days.push({ ...one, ...(await countDay(tx, deploymentId, one.day)) });
  return { segments, days, buffered: new Map(buffered.map(({ epoch, n }) => [epoch, n])) };
}

async function countDay(tx: Reader, deploymentId: number, day: string) {
  // Every row is looked at: hash joins, whatever Postgres thinks of tables that it has not analyzed yet.
  await tx.$executeRaw`SELECT set_config('enable_nestloop', 'off', true)`;
  const [counts] = await tx.$queryRaw<{ captured: number; dropped: number }[]>`
    SELECT (SELECT count(*)::float8 FROM captures
             WHERE day = ${day}::date AND deployment_id = ${deploymentId}) AS captured,
           (SELECT coalesce(sum(captures), 0)::float8 FROM dropped_minutes
             WHERE deployment_id = ${deploymentId} AND minute >= ${day}::date
               AND minute < ${day}::date + 1) AS dropped`;
  const candidates = await tx.$queryRaw<RecountDay["candidates"]>`
    WITH live AS (
      SELECT DISTINCT ON (c.id) c.name, r.id AS run_id
      FROM candidates c JOIN runs r ON r.candidate_id = c.id
      WHERE c.deployment_id = ${deploymentId} AND r.kind = 'live' AND c.state = 'active'
      ORDER BY c.id, r.id DESC
    )
    SELECT name,
           (SELECT coalesce(jsonb_object_agg(label, n), '{}') FROM (
              SELECT o.disposition || coalesce(':' || o.reason, '') AS label, count(*) AS n
              FROM outcomes o WHERE o.day = ${day}::date AND o.run_id = live.run_id
              GROUP BY 1) AS ended) AS outcomes,
           (SELECT count(*)::float8 FROM captures c
             WHERE c.day = ${day}::date AND c.deployment_id = ${deploymentId}
               AND EXISTS (SELECT FROM work w WHERE w.segment_id = c.segment_id AND w.run_id = live.run_id)
               AND NOT EXISTS (SELECT FROM outcomes o
                 WHERE o.day = c.day AND o.run_id = live.run_id AND o.capture_id = c.id)) AS pending,
           (SELECT count(*)::float8 FROM outcomes o
             WHERE o.day = ${day}::date AND o.run_id = live.run_id
               AND NOT EXISTS (SELECT FROM captures c WHERE c.day = o.day AND c.id = o.capture_id)) AS strays
    FROM live ORDER BY name`;
  return { ...counts!, candidates };
}
