import { createDeliveries, type Deliveries } from "./alert-deliveries.js";
import { type AlertRules, createAlertRules } from "./alert-rules.js";
import { type AlertStates, createAlertStates } from "./alert-states.js";
import type { PrismaClient } from "./client.js";

/** Alert rules, the alerts they raised, and the messages that tell of them. */
export type Alerts = AlertRules & AlertStates & Deliveries;

export function createAlerts(prisma: PrismaClient): Alerts {
  return { ...createAlertRules(prisma), ...createAlertStates(prisma), ...createDeliveries(prisma) };
}
