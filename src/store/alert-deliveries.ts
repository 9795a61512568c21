import type { PrismaClient } from "./client.js";

/** A message to be sent. */
export interface PendingDelivery {
  id: string;
  url: string;
  payload: unknown;
}

export interface Deliveries {
  /** Ids of messages that are not yet delivered nor given up, oldest first. */
  pendingDeliveries(limit: number): Promise<string[]>;
  /** null: it is unknown, delivered already, or given up. */
  pendingDelivery(id: string): Promise<PendingDelivery | null>;
  /** Counts one attempt and what came of it. */
  recordAttempt(
    id: string,
    result: { state: "delivered"; atMs: number } | { state: "pending" | "dead"; error: string },
  ): Promise<void>;
}

export function createDeliveries(prisma: PrismaClient): Deliveries {
  return {
    pendingDeliveries: async (limit) => {
      const rows = await prisma.alertDelivery.findMany({
        where: { state: "pending" },
        select: { id: true },
        orderBy: { createdAt: "asc" },
        take: limit,
      });
      return rows.map((row) => row.id);
    },
    pendingDelivery: (id) =>
      prisma.alertDelivery.findFirst({
        where: { id, state: "pending" },
        select: { id: true, url: true, payload: true },
      }),
    recordAttempt: async (id, result) => {
      await prisma.alertDelivery.updateMany({
        where: { id, state: "pending" },
        data: {
          state: result.state,
          attempts: { increment: 1 },
          ...(result.state === "delivered"
            ? { deliveredAt: new Date(result.atMs), lastError: null }
            : { lastError: result.error }),
        },
      });
    },
  };
}
