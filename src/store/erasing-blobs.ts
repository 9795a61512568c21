import { dayOf } from "../ids.js";
import type { PrismaClient } from "./client.js";
import { createDoomedBlobs, type DoomedBlobs } from "./doomed-blobs.js";
import type { ErasableSegment } from "./erasing.js";
import { column } from "./sql.js";

/** The answers that count of a work on a segment. */
export interface WorkAnswers {
  workId: bigint;
  lease: number;
  key: string;
  sha256: string;
}

/** Where leases of a work that did not end it may have left answers. */
export interface LeftLeases {
  workId: bigint;
  deploymentId: number;
  day: string;
  /** The newest that may have: of a work in hand, not that of whoever holds it. */
  lease: number;
  /** The blob that counts. */
  answersKey: string | null;
}

/** A file that takes another's place. */
export interface NewFile {
  key: string;
  sha256: string;
  bytes: number;
}

export interface ErasingBlobs {
  doomed: DoomedBlobs;
  answersOf(segmentId: string): Promise<WorkAnswers[]>;
  /**
   * Names other answers of a work in place of those it has, under a further lease: so all keys that it ever had stay
   * known by its leases' numbers. null: none are left. Does nothing if the work was taken up meanwhile.
   */
  replaceAnswers(of: WorkAnswers, answers: (NewFile & { count: number }) | null): Promise<void>;
  /** Of the works on segments of an erasure's captures. */
  leftLeases(erasureId: string): Promise<LeftLeases[]>;
  /**
   * Names another file of a segment in place of that it has, counts its captures as erased, and lets go of the bodies
   * that they referred to. False: it is not of that generation any more.
   */
  replaceSegment(
    segment: ErasableSegment,
    file: NewFile,
    bodies: ReadonlyMap<string, number>,
  ): Promise<boolean>;
}

export function createErasingBlobs(prisma: PrismaClient): ErasingBlobs {
  return {
    doomed: createDoomedBlobs(prisma),

    answersOf: (segmentId) => prisma.$queryRaw<WorkAnswers[]>`
      SELECT id AS "workId", lease, answers_key AS key, answers_sha256 AS sha256 FROM work
      WHERE segment_id = ${segmentId}::uuid AND state = 'done'
        AND answers_key IS NOT NULL AND answers_sha256 IS NOT NULL`,

    async replaceAnswers({ workId, lease, key }, answers) {
      await prisma.$executeRaw`
        WITH replaced AS (
          UPDATE work SET lease = lease + 1, answers_key = ${answers?.key ?? null},
                          answers_sha256 = ${answers?.sha256 ?? null},
                          answers_bytes = ${answers?.bytes ?? 0}::bigint, answers_kept = ${answers?.count ?? 0}::int
          WHERE id = ${workId} AND lease = ${lease} AND state = 'done' AND answers_key = ${key}
          RETURNING id
        )
        INSERT INTO doomed_blobs (key) SELECT ${key} FROM replaced ON CONFLICT DO NOTHING`;
    },

    async leftLeases(erasureId) {
      const rows = await prisma.$queryRaw<(Omit<LeftLeases, "day"> & { day: Date })[]>`
        SELECT w.id AS "workId", s.deployment_id AS "deploymentId", s.day,
               w.lease - (w.state = 'leased')::int AS lease, w.answers_key AS "answersKey"
        FROM work w JOIN segments s ON s.id = w.segment_id
        WHERE s.id IN (SELECT segment_id FROM captures WHERE erasure_id = ${erasureId}::uuid)
          AND w.lease > (w.state = 'leased' OR w.answers_key IS NOT NULL)::int`;
      return rows.map((row) => ({ ...row, day: dayOf(row.day.getTime()) }));
    },

    async replaceSegment({ id, day, deploymentId, generation, blobKey, rows }, file, bodies) {
      const released = [...bodies].map(([sha256, refs]) => ({ sha256, refs }));
      const [row] = await prisma.$queryRaw<{ replaced: boolean }[]>`
        WITH replaced AS (
          UPDATE segments SET blob_key = ${file.key}, sha256 = ${file.sha256}, bytes = ${file.bytes}::bigint,
                              generation = generation + 1
          WHERE id = ${id}::uuid AND generation = ${generation}
          RETURNING id
        ), gone AS (
          UPDATE captures c SET erased = true FROM replaced r
          WHERE c.day = ${day}::date AND c.segment_id = r.id AND NOT c.erased
            AND c."row" = ANY (${column(rows, (row) => row)}::int[])
          RETURNING c.erasure_id
        ), counted AS (
          UPDATE erasures e SET erased = e.erased + g.captures
          FROM (SELECT erasure_id, count(*) AS captures FROM gone GROUP BY 1) g WHERE e.id = g.erasure_id
        ), released AS (
          UPDATE bodies b
          SET refs = b.refs - g.refs, released_at = CASE WHEN b.refs > g.refs THEN b.released_at ELSE now() END
          FROM replaced, unnest(
            ${column(released, ({ sha256 }) => sha256)}::text[],
            ${column(released, ({ refs }) => refs)}::bigint[]
          ) AS g(sha256, refs)
          WHERE b.day = ${day}::date AND b.deployment_id = ${deploymentId} AND b.sha256 = g.sha256
          RETURNING b.sha256, b.refs
        ), doomed AS (
          INSERT INTO doomed_blobs (key, day, deployment_id, body_sha256)
          SELECT concat_ws('/', 'body', ${deploymentId}::int, ${day}::text, sha256), ${day}::date,
                 ${deploymentId}::int, sha256
          FROM released WHERE refs <= 0
          UNION ALL
          SELECT ${blobKey}, NULL, NULL, NULL FROM replaced WHERE ${blobKey} <> ${file.key}
          ON CONFLICT DO NOTHING
        ), saved AS (
          DELETE FROM doomed_blobs b USING replaced WHERE b.key = ${file.key}
        )
        SELECT EXISTS (SELECT 1 FROM replaced) AS replaced`;
      return row!.replaced;
    },
  };
}
