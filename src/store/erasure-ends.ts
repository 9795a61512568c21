import type { PrismaClient } from "./client.js";
import type { ErasureProof } from "./erasure-types.js";
import { jsonInput } from "./sql.js";
import { markable } from "./tombstones.js";

/** A segment of an erasure's captures, to be read back. */
export interface SearchedSegment {
  id: string;
  blobKey: string;
  captureIds: string[];
}

export interface ErasureEnds {
  /** Marked, and not done. */
  unfinished(): Promise<string[]>;
  /** What may still hold something of an erasure, or is to be done, in words for people; empty when it can end. */
  hindrances(erasureId: string): Promise<string[]>;
  /** Searches the database. */
  search(
    erasureId: string,
  ): Promise<
    Pick<ErasureProof, "captures" | "left" | "outcomes" | "outcomesWithContents" | "outputRows" | "gateways">
  >;
  segments(erasureId: string): Promise<SearchedSegment[]>;
  waits(erasureId: string, waitingFor: readonly string[]): Promise<void>;
  failed(erasureId: string, error: string): Promise<void>;
  done(erasureId: string, proof: ErasureProof): Promise<void>;
}

export function createErasureEnds(prisma: PrismaClient): ErasureEnds {
  return {
    async unfinished() {
      const rows = await prisma.erasure.findMany({
        where: { doneAt: null, scannedAt: { not: null } },
        select: { id: true },
        orderBy: { createdAt: "asc" },
      });
      return rows.map(({ id }) => id);
    },

    async hindrances(erasureId) {
      const [row] = await prisma.$queryRaw<Hindrances[]>`
        WITH erasure AS (SELECT id, created_at FROM erasures WHERE id = ${erasureId}::uuid)
        SELECT
          (SELECT count(*)::int FROM captures c JOIN erasure e ON c.erasure_id = e.id WHERE NOT c.erased) AS left,
          (SELECT count(*)::int FROM doomed_blobs) AS blobs,
          -- Whoever has read before may write its answers, until its commit is refused.
          (SELECT count(*)::int FROM work w JOIN segments s ON s.id = w.segment_id, erasure e
            WHERE s.id IN (SELECT segment_id FROM captures c WHERE c.erasure_id = e.id) AND w.state = 'leased'
              AND w.generation < s.generation AND w.lease_until > now() - interval '1 minute') AS works,
          (SELECT coalesce(sum(l.buffered + l.in_flight), 0)::int FROM ledger_counts l, erasure e
            WHERE l.minute <= e.created_at AND l.deployment_id IN (
              SELECT deployment_id FROM tombstones t WHERE t.erasure_id = e.id)) AS spooled,
          ARRAY (SELECT DISTINCT g.gateway FROM gateway_epochs g, erasure e
            WHERE g.state = 'live' AND g.started_at - g.clock_offset_ms * interval '1 millisecond' <= e.created_at
              AND g.cut_at - g.clock_offset_ms * interval '1 millisecond' <= e.created_at) AS gateways`;
      const { left, blobs, works, spooled, gateways } = row!;
      return [
        ...(left > 0 ? [`${left} captures to be erased`] : []),
        ...(blobs > 0 ? [`${blobs} blobs to be deleted`] : []),
        ...(works > 0 ? [`${works} works that a worker has in hand`] : []),
        ...(spooled > 0 ? [`${spooled} requests on their way, or in gateways' spools`] : []),
        ...gateways.map((gateway) => `word from gateway ${gateway}: its spool may hold some`),
      ];
    },

    async search(erasureId) {
      const [found] = await prisma.$queryRaw<Omit<ErasureProof, "left">[]>`
        WITH mine AS MATERIALIZED (
          SELECT c.day, c.id, r.id AS run_id
          FROM captures c JOIN runs r ON r.deployment_id = c.deployment_id WHERE c.erasure_id = ${erasureId}::uuid
        ), outcome AS (
          SELECT o.* FROM mine m JOIN outcomes o ON o.day = m.day AND o.run_id = m.run_id AND o.capture_id = m.id
        )
        SELECT (SELECT count(*)::int FROM captures WHERE erasure_id = ${erasureId}::uuid) AS captures,
               (SELECT count(*)::int FROM outcome) AS outcomes,
               (SELECT count(*)::int FROM outcome WHERE details IS NOT NULL OR disposition <> 'erased')
                 AS "outcomesWithContents",
               (SELECT count(*)::int FROM mine m JOIN output_diffs d
                 ON d.day = m.day AND d.run_id = m.run_id AND d.capture_id = m.id) AS "outputRows",
               (SELECT count(DISTINCT g.gateway)::int FROM gateway_epochs g, erasures e
                 WHERE e.id = ${erasureId}::uuid AND g.started_at <= e.created_at) AS gateways`;
      const [left] = await prisma.$queryRaw<
        { n: number }[]
      >`SELECT count(*)::int AS n ${markable(erasureId)}`;
      return { ...found!, left: left!.n };
    },

    segments: (erasureId) => prisma.$queryRaw<SearchedSegment[]>`
      SELECT s.id::text AS id, s.blob_key AS "blobKey", array_agg(c.id::text) AS "captureIds"
      FROM captures c JOIN segments s ON s.id = c.segment_id
      WHERE c.erasure_id = ${erasureId}::uuid
      GROUP BY s.id`,

    async waits(erasureId, waitingFor) {
      const data = { waitingFor: [...waitingFor], error: null };
      await prisma.erasure.update({ where: { id: erasureId }, data });
    },

    async failed(erasureId, error) {
      await prisma.erasure.update({ where: { id: erasureId }, data: { error } });
    },

    async done(erasureId, proof) {
      await prisma.erasure.updateMany({
        where: { id: erasureId, doneAt: null },
        data: { proof: jsonInput(proof), waitingFor: [], error: null, doneAt: new Date() },
      });
    },
  };
}

interface Hindrances {
  left: number;
  blobs: number;
  works: number;
  spooled: number;
  gateways: string[];
}
