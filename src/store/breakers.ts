import type { PrismaClient } from "./client.js";
import { cleanText } from "./sql.js";

/** A worker that said nothing more this long after it was to ask again has ended, or has nothing to ask. */
export const breakerStaleMs = 5 * 60_000;

/** What the workers say of candidates that do not answer, for people to see. */
export interface Breakers {
  /** Moments are Unix milliseconds. */
  opened(
    candidateId: number,
    worker: string,
    breaker: { openedAtMs: number; retryAtMs: number; reason: string },
  ): Promise<void>;
  closed(candidateId: number, worker: string): Promise<void>;
}

export function createBreakers(prisma: PrismaClient): Breakers {
  return {
    async opened(candidateId, worker, { openedAtMs, retryAtMs, reason }) {
      const state = {
        openedAt: new Date(openedAtMs),
        retryAt: new Date(retryAtMs),
        reason: cleanText(reason),
      };
      const key = { candidateId, worker: cleanText(worker) };
      await prisma.breaker.upsert({
        where: { candidateId_worker: key },
        create: { ...key, ...state },
        update: state,
      });
    },
    async closed(candidateId, worker) {
      await prisma.breaker.deleteMany({ where: { candidateId, worker: cleanText(worker) } });
    },
  };
}
