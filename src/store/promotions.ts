import { UnderstudyError } from "../errors.js";
import type { PrismaClient } from "./client.js";
import { isCurrent } from "./current-run.js";
import type { Prisma } from "./generated/client.js";
import type { Transaction } from "./runs.js";

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
  /**
   * Moves an alias, if the gate still is the candidate's newest, and about its revision now under the policy in force. A
   * challenger that becomes champion is challenger no more.
   * @throws UnderstudyError `conflict` when it is not: something changed since it was looked at
   */
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
        const { deploymentId } = await tx.candidate.findUniqueOrThrow({ where: { id: candidateId } });
        // One after the other, so that an alias has one holder; and no registration, nor a policy, comes in between.
        await tx.$executeRaw`SELECT id FROM deployments WHERE id = ${deploymentId} FOR NO KEY UPDATE`;
        const modelVersionId = await gatedRevision(tx, candidateId, gateId);
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

/** @throws UnderstudyError `conflict` */
async function gatedRevision(tx: Transaction, candidateId: number, gateId: number): Promise<number> {
  const [gated] = await tx.$queryRaw<{ modelVersionId: number; id: number; current: boolean }[]>`
    SELECT g.id, r.model_version_id AS "modelVersionId", ${isCurrent} AS current
    FROM gates g JOIN runs r ON r.id = g.run_id JOIN candidates c ON c.id = r.candidate_id
    WHERE g.candidate_id = ${candidateId} AND g.state = 'done'
    ORDER BY g.ended_at DESC, g.id DESC LIMIT 1`;
  if (gated?.id === gateId && gated.current) return gated.modelVersionId;
  const what =
    gated?.id === gateId
      ? "the candidate was registered again, or the policy changed"
      : `gate ${gated?.id} ended`;
  throw new UnderstudyError(
    "conflict",
    `While it was being promoted by gate ${gateId}, ${what}: the alias stays where it was.`,
    {
      hint: "The promotion's webhook, if there is one, was told of that gate; gate it again, and promote it then.",
    },
  );
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
