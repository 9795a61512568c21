import type { PrismaClient } from "./client.js";
import type { Prisma } from "./generated/client.js";

export const aliases = ["champion", "challenger"] as const;
export type Alias = (typeof aliases)[number];

/** An alias as a candidate holds it. */
export interface Promotion {
  deployment: string;
  candidate: string;
  alias: Alias;
  gate: number;
  by: string;
  sinceMs: number;
}

export interface Promotions {
  /** Moves an alias. A challenger that becomes champion is challenger no more. */
  promote(promotion: { candidateId: number; gateId: number; alias: Alias; by: string }): Promise<Promotion>;
  /** Who holds an alias now; of one deployment, or of all. */
  held(deployment: string | null): Promise<Promotion[]>;
}

const withNames = {
  deployment: { select: { name: true } },
  candidate: { select: { name: true } },
} satisfies Prisma.PromotionInclude;

export function createPromotions(prisma: PrismaClient): Promotions {
  return {
    promote: ({ candidateId, gateId, alias, by }) =>
      prisma.$transaction(async (tx) => {
        const { deploymentId, modelVersionId } = await tx.candidate.findUniqueOrThrow({
          where: { id: candidateId },
        });
        // One after the other, so that an alias has one holder.
        await tx.$executeRaw`SELECT id FROM deployments WHERE id = ${deploymentId} FOR NO KEY UPDATE`;
        await tx.promotion.updateMany({
          where: { deploymentId, endedAt: null, OR: [{ alias }, { candidateId }] },
          data: { endedAt: new Date() },
        });
        const row = await tx.promotion.create({
          data: { deploymentId, candidateId, modelVersionId, gateId, alias, by },
          include: withNames,
        });
        return toPromotion(row);
      }),

    async held(deployment) {
      const rows = await prisma.promotion.findMany({
        where: { endedAt: null, ...(deployment === null ? {} : { deployment: { name: deployment } }) },
        include: withNames,
        orderBy: { id: "asc" },
      });
      return rows.map(toPromotion);
    },
  };
}

function toPromotion(row: Prisma.PromotionGetPayload<{ include: typeof withNames }>): Promotion {
  return {
    deployment: row.deployment.name,
    candidate: row.candidate.name,
    alias: row.alias as Alias,
    gate: row.gateId,
    by: row.by,
    sinceMs: row.createdAt.getTime(),
  };
}
