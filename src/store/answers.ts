import { dayOf } from "../ids.js";
import type { PrismaClient } from "./client.js";

/** A work that ended and whose earlier leases may have left answers behind. */
export interface SweepDue {
  workId: bigint;
  deploymentId: number;
  /** UTC day of its captures, `YYYY-MM-DD`. */
  day: string;
  /** The newest lease. */
  lease: number;
  /** The blob that counts. */
  answersKey: string | null;
}

/** What is known of candidates' answers; the answers themselves are blobs. */
export interface AnswerStore {
  /** Bytes kept of a deployment's captures of one UTC day. */
  keptBytes(deploymentId: number, day: string): Promise<number>;
  /** Works to be swept, those that ended first, first. Two callers at a time may get the same. */
  dueForSweep(limit: number): Promise<SweepDue[]>;
  swept(workIds: readonly bigint[]): Promise<void>;
}

export function createAnswerStore(prisma: PrismaClient): AnswerStore {
  return {
    async keptBytes(deploymentId, day) {
      const [row] = await prisma.$queryRaw<{ bytes: number }[]>`
        SELECT coalesce(sum(w.answers_bytes), 0)::float8 AS bytes
        FROM segments s JOIN work w ON w.segment_id = s.id
        WHERE s.deployment_id = ${deploymentId} AND s.day = ${day}::date`;
      return row!.bytes;
    },

    async dueForSweep(limit) {
      const rows = await prisma.$queryRaw<(Omit<SweepDue, "day"> & { day: Date })[]>`
        SELECT w.id AS "workId", s.deployment_id AS "deploymentId", s.day, w.lease, w.answers_key AS "answersKey"
        FROM work w JOIN segments s ON s.id = w.segment_id
        WHERE w.sweep_after < now()
        ORDER BY w.sweep_after
        LIMIT ${limit}`;
      return rows.map((row) => ({ ...row, day: dayOf(row.day.getTime()) }));
    },

    async swept(workIds) {
      if (workIds.length === 0) return;
      await prisma.work.updateMany({ where: { id: { in: [...workIds] } }, data: { sweepAfter: null } });
    },
  };
}
