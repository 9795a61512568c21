import { dayOf } from "../ids.js";
import type { PrismaClient } from "./client.js";
import { column } from "./sql.js";
import type { SegmentCommit } from "./types.js";

/** A blob that is to be deleted, since what is in it was erased. */
export interface DoomedBlob {
  key: string;
  /** Of a body: deleted only while nothing refers to it. `day` is a UTC day, `YYYY-MM-DD`. */
  body: { deploymentId: number; day: string; sha256: string } | null;
}

/** Blobs to be deleted. They are named before they are needed no more, so a crash leaves none behind. */
export interface DoomedBlobs {
  /** Names a blob that is about to be written, and is not to stay should its writer die. */
  doom(key: string): Promise<void>;
  list(limit: number): Promise<DoomedBlob[]>;
  /**
   * Has a blob deleted, and forgets it. A body is held meanwhile, so that none that refers to it is catalogued; one that
   * is referred to again is left alone.
   */
  remove(blob: DoomedBlob, remove: () => Promise<void>): Promise<void>;
  /** Forgets bodies that nothing has referred to for a while. */
  forgetBodies(): Promise<void>;
}

/** Deleting a body may take so long, at most. */
const removeMs = 60_000;

/**
 * For so long the row of a body stays that nothing refers to: by it a gateway that had put the body again, and was about
 * to catalogue it, knows that it must do so once more.
 */
const bodyGrace = "15 minutes";

export function createDoomedBlobs(prisma: PrismaClient): DoomedBlobs {
  return {
    async doom(key) {
      await prisma.$executeRaw`INSERT INTO doomed_blobs (key) VALUES (${key}) ON CONFLICT DO NOTHING`;
    },

    async list(limit) {
      const rows = await prisma.doomedBlob.findMany({ orderBy: { key: "asc" }, take: limit });
      return rows.map(({ key, day, deploymentId, bodySha256: sha256 }) => ({
        key,
        body: day && deploymentId && sha256 ? { deploymentId, day: dayOf(day.getTime()), sha256 } : null,
      }));
    },

    async remove({ key, body }, remove) {
      if (body === null) {
        await remove();
        await prisma.doomedBlob.deleteMany({ where: { key } });
        return;
      }
      await prisma.$transaction(
        async (tx) => {
          const wanted = await tx.$queryRaw<{ refs: bigint }[]>`
            SELECT refs FROM bodies
            WHERE day = ${body.day}::date AND deployment_id = ${body.deploymentId} AND sha256 = ${body.sha256}
            FOR UPDATE`;
          if (!wanted.some(({ refs }) => refs > 0n)) await remove();
          await tx.doomedBlob.deleteMany({ where: { key } });
        },
        { timeout: removeMs },
      );
    },

    async forgetBodies() {
      await prisma.$executeRaw`
        DELETE FROM bodies WHERE refs <= 0 AND released_at < now() - ${bodyGrace}::interval`;
    },
  };
}

/**
 * A segment was put into the blob store again although it is catalogued: what it is not catalogued with any more is to
 * go, its file and its bodies.
 */
export async function doomLeftovers(
  prisma: PrismaClient,
  { segment, bodies }: Pick<SegmentCommit, "segment" | "bodies">,
): Promise<void> {
  const { id, deploymentId, day, blobKey } = segment;
  await prisma.$executeRaw`
    INSERT INTO doomed_blobs (key)
    SELECT ${blobKey} FROM segments WHERE id = ${id}::uuid AND blob_key <> ${blobKey}
    ON CONFLICT DO NOTHING`;
  await prisma.$executeRaw`
    INSERT INTO doomed_blobs (key, day, deployment_id, body_sha256)
    SELECT concat_ws('/', 'body', ${deploymentId}::int, ${day}::text, g.sha256), ${day}::date, ${deploymentId}::int, g.sha256
    FROM unnest(${column(bodies, (body) => body.sha256)}::text[]) AS g(sha256)
    WHERE NOT EXISTS (
      SELECT FROM bodies b
      WHERE b.day = ${day}::date AND b.deployment_id = ${deploymentId}::int AND b.sha256 = g.sha256 AND b.refs > 0)
    ON CONFLICT DO NOTHING`;
}
