import { dayOf } from "../ids.js";
import type { PrismaClient } from "./client.js";
import { createErasingBlobs, type ErasingBlobs } from "./erasing-blobs.js";
import { createErasureEnds, type ErasureEnds } from "./erasure-ends.js";
import { forgetOutcomes } from "./forget-outcomes.js";
import { Prisma } from "./generated/client.js";
import { markable } from "./tombstones.js";

/** A segment with captures that are marked, but not gone yet. */
export interface ErasableSegment {
  id: string;
  deploymentId: number;
  /** UTC day, `YYYY-MM-DD`. */
  day: string;
  blobKey: string;
  sha256: string;
  generation: number;
  /** Of all its captures that are marked, ascending. */
  rows: number[];
  captureIds: string[];
}

/** What the job does to the database, in the order in which it does it. */
export interface Erasing extends ErasingBlobs, ErasureEnds {
  /**
   * Does something while no other process erases. `held` throws once that no longer holds.
   * @returns null: another is at it
   */
  exclusively<T>(work: (held: () => Promise<void>) => Promise<T>): Promise<T | null>;
  /** Erasures whose captures are not all marked yet. */
  unmarked(): Promise<string[]>;
  /** Marks all captures that are catalogued and that an erasure means: from then on nobody reads or writes them. */
  mark(erasureId: string): Promise<void>;
  due(limit: number): Promise<ErasableSegment[]>;
  /** Turns the outcomes of a segment's marked captures into `erased`, in every run. Returns how many. */
  forgetOutcomes(segment: Pick<ErasableSegment, "id" | "day" | "deploymentId">): Promise<number>;
}

/** No erasure takes so long; one that would goes on with the next turn. */
const exclusiveMs = 600_000;

export function createErasing(prisma: PrismaClient): Erasing {
  return {
    ...createErasingBlobs(prisma),
    ...createErasureEnds(prisma),

    exclusively(work) {
      return prisma.$transaction(
        async (tx) => {
          const [lock] = await tx.$queryRaw<{ mine: boolean }[]>`
            SELECT pg_try_advisory_xact_lock(hashtext('understudy'), hashtext('erase')) AS mine`;
          if (lock?.mine !== true) return null;
          return work(async () => {
            await tx.$queryRaw`SELECT 1`;
          });
        },
        { timeout: exclusiveMs },
      );
    },

    async unmarked() {
      const rows = await prisma.erasure.findMany({
        where: { scannedAt: null },
        select: { id: true },
        orderBy: { createdAt: "asc" },
      });
      return rows.map(({ id }) => id);
    },

    async mark(erasureId) {
      const days = await prisma.$queryRaw<{ deploymentId: number; day: Date }[]>`
        SELECT DISTINCT s.deployment_id AS "deploymentId", s.day FROM segments s
        WHERE s.deployment_id IN (SELECT deployment_id FROM tombstones WHERE erasure_id = ${erasureId}::uuid)`;
      for (const { deploymentId, day } of days) {
        const segments = await prisma.$queryRaw<{ id: string }[]>`
          SELECT DISTINCT c.segment_id::text AS id ${markable(erasureId)}
            AND c.day = ${dayOf(day.getTime())}::date AND c.deployment_id = ${deploymentId}`;
        for (const { id } of segments) await prisma.$executeRaw(markStatement(erasureId, id));
      }
      await prisma.erasure.update({ where: { id: erasureId }, data: { scannedAt: new Date() } });
    },

    async due(limit) {
      const rows = await prisma.$queryRaw<(Omit<ErasableSegment, "day"> & { day: Date })[]>`
        SELECT s.id::text AS id, s.deployment_id AS "deploymentId", s.day, s.blob_key AS "blobKey", s.sha256,
               s.generation, array_agg(c."row" ORDER BY c."row") AS rows,
               array_agg(c.id::text ORDER BY c."row") AS "captureIds"
        FROM segments s JOIN captures c ON c.day = s.day AND c.segment_id = s.id
        WHERE c.erasure_id IS NOT NULL AND s.id IN (
          SELECT segment_id FROM captures WHERE erasure_id IS NOT NULL AND NOT erased)
        GROUP BY s.id
        ORDER BY s.id
        LIMIT ${limit}`;
      return rows.map((row) => ({ ...row, day: dayOf(row.day.getTime()) }));
    },

    forgetOutcomes: (segment) => forgetOutcomes(prisma, segment),
  };
}

/**
 * The raised generation keeps out whoever has read the segment before (see `currentWork`), and waits for commits that
 * are under way: what they wrote is seen by {@link Erasing.forgetOutcomes}, which comes after.
 */
function markStatement(erasureId: string, segmentId: string): Prisma.Sql {
  return Prisma.sql`
    WITH touched AS (
      UPDATE segments SET generation = generation + 1 WHERE id = ${segmentId}::uuid RETURNING id
    ), meant AS (
      SELECT c.day, c.id ${markable(erasureId)}
        AND c.day = (SELECT day FROM segments WHERE id = ${segmentId}::uuid)
        AND c.segment_id = (SELECT id FROM touched)
    ), marked AS (
      UPDATE captures c
      SET erasure_id = ${erasureId}::uuid, tags = '{}', subject = NULL, redacted = '{}', status = 0,
          request_bytes = 0, response_bytes = 0
      FROM meant m WHERE c.day = m.day AND c.id = m.id
      RETURNING c.id
    )
    UPDATE erasures SET found = found + (SELECT count(*) FROM marked) WHERE id = ${erasureId}::uuid`;
}
