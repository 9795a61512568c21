import type { PrismaClient } from "./client.js";

/** What waits or is wrong now, for the metrics. Counted by index; cheap enough for every scrape. */
export interface Gauges {
  /** Works that are not done, by state. */
  openWork(): Promise<Record<"pending" | "leased" | "dead", number>>;
  /** Works that wait in Postgres since the queue has no room for them, or was away. */
  heldBackWork(): Promise<number>;
  firingAlerts(): Promise<number>;
  /** Deployments in whose ledger the newest check found an imbalance. */
  unbalancedLedgers(): Promise<number>;
  /** Messages to webhooks that are neither delivered nor given up. */
  pendingDeliveries(): Promise<number>;
}

export function createGauges(prisma: PrismaClient): Gauges {
  return {
    openWork: async () => {
      const rows = await prisma.$queryRaw<{ state: string; n: number }[]>`
        SELECT state, count(*)::int AS n FROM work WHERE state IN ('pending', 'leased', 'dead') GROUP BY state`;
      return {
        pending: 0,
        leased: 0,
        dead: 0,
        ...Object.fromEntries(rows.map(({ state, n }) => [state, n])),
      };
    },
    heldBackWork: () => prisma.work.count({ where: { state: "pending", enqueuedAt: null } }),
    unbalancedLedgers: () => prisma.ledgerCheck.count({ where: { inARow: { gt: 0 } } }),
    firingAlerts: () => prisma.alert.count({ where: { state: "firing" } }),
    pendingDeliveries: () => prisma.alertDelivery.count({ where: { state: "pending" } }),
  };
}
