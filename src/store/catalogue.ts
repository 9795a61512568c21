import { UnderstudyError } from "../errors.js";
import { roomOfAll, roomOfRun } from "./admission.js";
import { float8s, int4s, jsons, texts, times, uuids } from "./binary-columns.js";
import type { PrismaClient } from "./client.js";
import { doomLeftovers } from "./doomed-blobs.js";
import { Prisma } from "./generated/client.js";
import type { Catalogue } from "./groups.js";
import { prepared } from "./prepared.js";
import { column, jsonText, time } from "./sql.js";
import { countFound, tombstoneOf } from "./tombstones.js";
import type { LedgerCut, SegmentCommit } from "./types.js";

const tries = 10;

export function createCatalogue(prisma: PrismaClient): Catalogue {
  return {
    async commitSegment(commit) {
      const { id, deploymentId } = commit.segment;
      for (let i = 0; i < tries; i++) {
        const [row] = await prisma.$queryRaw<CommitRow[]>(commitStatement(commit));
        if (!row?.found) {
          throw new UnderstudyError(
            "not_found",
            `Deployment ${deploymentId} of segment ${id} does not exist.`,
          );
        }
        if (!row.current) continue;
        const { inserted, workIds, revivedBodies } = row;
        if (inserted) return { workIds, toQueue: row.toQueue, revivedBodies, alreadyThere: false };
        // What was erased since the first sending has just been put there again.
        await doomLeftovers(prisma, commit);
        // Asked anew: another sending may have committed after this statement's snapshot was taken.
        const works = await prisma.work.findMany({
          where: { segmentId: id, run: { kind: "live" } },
          select: { id: true, enqueuedAt: true },
          orderBy: { id: "asc" },
        });
        const idsOf = (some: typeof works) => some.map((work) => work.id);
        const toQueue = idsOf(works.filter(({ enqueuedAt }) => enqueuedAt !== null));
        return { workIds: idsOf(works), toQueue, revivedBodies: [], alreadyThere: true };
      }
      throw new UnderstudyError("conflict", `Deployment ${deploymentId} keeps changing.`, {
        hint: "Send the segment again.",
      });
    },

    async capturesOf(segmentId) {
      const counts = await prisma.segmentCount.findMany({ where: { segmentId } });
      if (counts.length === 0) return null;
      return new Map(counts.map(({ minute, captures }) => [minute.getTime(), captures]));
    },

    async shipCut(cut) {
      await prisma.$executeRaw(Prisma.sql`WITH ${cutParts(cut, Prisma.sql`TRUE`)} SELECT 1`);
    },
  };
}

interface CommitRow {
  found: boolean;
  current: boolean;
  inserted: boolean;
  workIds: bigint[];
  toQueue: bigint[];
  revivedBodies: string[];
}

/**
 * `locked` waits for a change of the deployment under way and sees its result, where all else sees the snapshot taken
 * before. If the two revisions differ, runs may have been opened or closed that this statement does not see: it does
 * nothing then, and is sent again.
 *
 * Captures are counted by the newest live run that the statement sees: those of a run before another were never
 * assigned to that one, and all from then on were. By this the ledger tells them from work that is missing.
 */
function commitStatement({ segment, captures, bodies, cut }: SegmentCommit): Prisma.Sql {
  const received = captures.map((capture) => capture.receivedAtMs);
  const firstAt = time(received.reduce((a, b) => Math.min(a, b)));
  const lastAt = time(received.reduce((a, b) => Math.max(a, b)));
  return Prisma.sql`${prepared}
    WITH locked AS (
      SELECT id, revision FROM deployments WHERE id = ${segment.deploymentId} FOR SHARE
    ), current AS MATERIALIZED (
      SELECT id FROM locked
      WHERE revision = (SELECT d.revision FROM deployments d WHERE d.id = ${segment.deploymentId})
    ), new_segment AS (
      INSERT INTO segments (id, deployment_id, day, gateway_epoch, blob_key, sha256, bytes, captures,
                            first_at, last_at)
      SELECT ${segment.id}::uuid, id, ${segment.day}::date, ${segment.gatewayEpoch}::uuid, ${segment.blobKey},
             ${segment.sha256}, ${segment.bytes}::bigint, ${captures.length}::int,
             ${firstAt}::timestamptz, ${lastAt}::timestamptz
      FROM current
      ON CONFLICT (id) DO NOTHING
      RETURNING id, deployment_id
    ), new_captures AS (
      INSERT INTO captures (day, id, deployment_id, segment_id, "row", received_at, transport, primary_version,
                            status, primary_ms, request_bytes, response_bytes, sample, rule, tags,
                            redacted, subject, erasure_id)
      SELECT (c.received_at AT TIME ZONE 'UTC')::date, c.id, s.deployment_id, s.id, c."row", c.received_at,
             c.transport, c.primary_version, ${kept("c.status", "0")}, c.primary_ms, ${kept("c.request_bytes", "0")},
             ${kept("c.response_bytes", "0")}, c.sample, c.rule, ${kept("c.tags", "'{}'")},
             ${kept("ARRAY (SELECT jsonb_array_elements_text(c.redacted))", "'{}'")}, ${kept("c.subject", "NULL")},
             t.erasure_id
      FROM new_segment s JOIN deployments d ON d.id = s.deployment_id, unnest(
        ${uuids(captures, (c) => c.id)}::uuid[],
        ${int4s(captures, (c) => c.row)}::int[],
        ${times(captures, (c) => c.receivedAtMs)}::timestamptz[],
        ${texts(captures, (c) => c.transport)}::text[],
        ${texts(captures, (c) => c.primaryVersion)}::text[],
        ${int4s(captures, (c) => c.status)}::int[],
        ${float8s(captures, (c) => c.primaryMs)}::float8[],
        ${int4s(captures, (c) => c.requestBytes)}::int[],
        ${int4s(captures, (c) => c.responseBytes)}::int[],
        ${texts(captures, (c) => c.sample)}::text[],
        ${texts(captures, (c) => c.rule)}::text[],
        ${jsons(captures, (c) => c.tags)}::jsonb[],
        ${jsons(captures, (c) => c.redacted)}::jsonb[],
        ${texts(captures, (c) => c.subject)}::text[]
      ) AS c(id, "row", received_at, transport, primary_version, status, primary_ms, request_bytes,
             response_bytes, sample, rule, tags, redacted, subject)
      LEFT JOIN LATERAL (${tombstoneOf(Prisma.sql`${cut.clockOffsetMs}::float8`)}) t ON true
      ON CONFLICT DO NOTHING
      RETURNING received_at, erasure_id
    ), ${countFound}, new_counts AS (
      INSERT INTO segment_counts (segment_id, minute, deployment_id, captures)
      SELECT s.id, date_trunc('minute', c.received_at), s.deployment_id, count(*)
      FROM new_segment s, new_captures c
      GROUP BY 1, 2, 3
      RETURNING deployment_id, minute, captures::bigint
    ), given_body AS (
      SELECT * FROM unnest(
        ${column(bodies, (b) => b.sha256)}::text[],
        ${column(bodies, (b) => b.bytes)}::bigint[],
        ${column(bodies, (b) => b.refs)}::bigint[]
      ) AS b(sha256, bytes, refs)
    ), new_bodies AS (
      INSERT INTO bodies AS old (day, deployment_id, sha256, bytes, refs)
      SELECT ${segment.day}::date, s.deployment_id, b.sha256, b.bytes, b.refs
      FROM new_segment s, given_body b
      -- In one order for all: two segments with the same bodies would wait for each other else.
      ORDER BY b.sha256
      ON CONFLICT (day, deployment_id, sha256) DO UPDATE
      SET refs = old.refs + excluded.refs, released_at = NULL
      RETURNING sha256, refs, xmax = 0 AS fresh
    ), new_work AS (
      INSERT INTO work (segment_id, run_id, first_row, rows, enqueued_at)
      SELECT s.id, r.id, 0, ${captures.length}::int,
             CASE WHEN ${roomOfRun(Prisma.sql`r.id`)} > 0 AND ${roomOfAll} > 0 THEN now() END
      FROM new_segment s JOIN runs r ON r.deployment_id = s.deployment_id
      WHERE r.kind = 'live' AND r.state = 'open'
      ORDER BY r.id
      RETURNING id, run_id, enqueued_at
    ), account AS (
      INSERT INTO ledger_deltas (deployment_id, minute, labels, counts)
      SELECT c.deployment_id, c.minute, labels, array_fill(c.captures, ARRAY[cardinality(labels)])
      FROM new_counts c, LATERAL (
        SELECT ARRAY (SELECT 'assigned:' || run_id FROM new_work) || ('captured:' || coalesce((
          SELECT max(r.id) FROM runs r WHERE r.deployment_id = c.deployment_id AND r.kind = 'live'
        ), 0)) AS labels
      ) AS l
    ), ${cutParts(cut, Prisma.sql`EXISTS (SELECT 1 FROM current)`)}
    SELECT EXISTS (SELECT 1 FROM locked) AS found,
           EXISTS (SELECT 1 FROM current) AS current,
           EXISTS (SELECT 1 FROM new_segment) AS inserted,
           ARRAY (SELECT id FROM new_work ORDER BY id) AS "workIds",
           ARRAY (SELECT id FROM new_work WHERE enqueued_at IS NOT NULL ORDER BY id) AS "toQueue",
           -- Nothing had referred to them any more.
           ARRAY (SELECT sha256 FROM new_bodies n JOIN given_body g USING (sha256)
             WHERE NOT n.fresh AND n.refs = g.refs) AS "revivedBodies"`;
}

/** Of a capture that a tombstone is for, nothing is written that says anything of its contents. */
function kept(value: string, otherwise: string): Prisma.Sql {
  return Prisma.raw(`CASE WHEN t.erasure_id IS NULL THEN ${value} ELSE ${otherwise} END`);
}

/** Takes over a cut while `guard` holds. Counts are cumulative, so only the newest of an epoch matters. */
function cutParts(cut: LedgerCut, guard: Prisma.Sql): Prisma.Sql {
  const counts = cut.counts;
  return Prisma.sql`
    cut_epoch AS (
      INSERT INTO gateway_epochs AS old (epoch, gateway, started_at, sequence, cut_at, clock_offset_ms, state)
      SELECT ${cut.epoch}::uuid, ${cut.gateway}, ${time(cut.startedAtMs)}::timestamptz, ${cut.sequence}::bigint,
             ${time(cut.cutAtMs)}::timestamptz, ${cut.clockOffsetMs}::float8, ${cut.state}
      WHERE ${guard}
      ON CONFLICT (epoch) DO UPDATE
      SET sequence = excluded.sequence, cut_at = excluded.cut_at, clock_offset_ms = excluded.clock_offset_ms,
          state = excluded.state
      WHERE old.sequence <= excluded.sequence
    ), cut_counts AS (
      INSERT INTO ledger_counts AS old (epoch, deployment_id, minute, sequence, received, in_flight, sampled_out,
                                        buffered, lost, not_eligible, dropped, request_bytes, response_bytes)
      SELECT ${cut.epoch}::uuid, c.deployment_id, c.minute, ${cut.sequence}::bigint, c.received, c.in_flight,
             c.sampled_out, c.buffered, c.lost, c.not_eligible, c.dropped, c.request_bytes, c.response_bytes
      FROM unnest(
        ${column(counts, (c) => c.deploymentId)}::int[],
        ${column(counts, (c) => time(c.minuteMs))}::timestamptz[],
        ${column(counts, (c) => c.received)}::bigint[],
        ${column(counts, (c) => c.inFlight)}::bigint[],
        ${column(counts, (c) => c.sampledOut)}::bigint[],
        ${column(counts, (c) => c.buffered)}::bigint[],
        ${column(counts, (c) => c.lost)}::bigint[],
        ${column(counts, (c) => jsonText(c.notEligible))}::jsonb[],
        ${column(counts, (c) => jsonText(c.dropped))}::jsonb[],
        ${column(counts, (c) => c.requestBytes)}::bigint[],
        ${column(counts, (c) => c.responseBytes)}::bigint[]
      ) AS c(deployment_id, minute, received, in_flight, sampled_out, buffered, lost, not_eligible, dropped,
             request_bytes, response_bytes)
      WHERE ${guard}
      ON CONFLICT (epoch, deployment_id, minute) DO UPDATE
      SET sequence = excluded.sequence, received = excluded.received, in_flight = excluded.in_flight,
          sampled_out = excluded.sampled_out, buffered = excluded.buffered, lost = excluded.lost,
          not_eligible = excluded.not_eligible, dropped = excluded.dropped,
          request_bytes = excluded.request_bytes, response_bytes = excluded.response_bytes
      WHERE old.sequence <= excluded.sequence
    )`;
}
