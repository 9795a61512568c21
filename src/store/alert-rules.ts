import { UnderstudyError } from "../errors.js";
import type { AlertKind, AlertRule, AlertRuleChange, NewAlertRule } from "./alert-types.js";
import type { PrismaClient } from "./client.js";
import type { AlertRuleGetPayload } from "./generated/models/AlertRule.js";

/** What is read of a rule, so that {@link alertRuleOf} can name its deployment and candidate. */
export const alertRuleInclude = {
  deployment: { select: { name: true } },
  candidate: { select: { name: true } },
} as const;

export function alertRuleOf(row: AlertRuleGetPayload<{ include: typeof alertRuleInclude }>): AlertRule {
  return {
    id: row.id,
    kind: row.kind as AlertKind,
    name: row.name,
    deployment: row.deployment.name,
    candidate: row.candidate?.name ?? null,
    threshold: row.threshold,
    windowMs: row.windowMs,
    minSamples: row.minSamples,
    webhookUrl: row.webhookUrl,
    enabled: row.enabled,
    createdAtMs: row.createdAt.getTime(),
  };
}

export interface AlertRules {
  createRule(rule: NewAlertRule): Promise<AlertRule>;
  /** @throws UnderstudyError `not_found` */
  updateRule(id: number, change: AlertRuleChange): Promise<AlertRule>;
  /** Deletes its alerts with it. @throws UnderstudyError `not_found` */
  deleteRule(id: number): Promise<void>;
  /** All, oldest first. */
  listRules(): Promise<AlertRule[]>;
}

export function createAlertRules(prisma: PrismaClient): AlertRules {
  const include = alertRuleInclude;
  return {
    createRule: async (rule) => alertRuleOf(await prisma.alertRule.create({ data: rule, include })),
    updateRule: async (id, change) => {
      const { count } = await prisma.alertRule.updateMany({ where: { id }, data: change });
      if (count === 0) throw unknownRule(id);
      return alertRuleOf(await prisma.alertRule.findUniqueOrThrow({ where: { id }, include }));
    },
    deleteRule: async (id) => {
      const { count } = await prisma.alertRule.deleteMany({ where: { id } });
      if (count === 0) throw unknownRule(id);
    },
    listRules: async () =>
      (await prisma.alertRule.findMany({ include, orderBy: { id: "asc" } })).map(alertRuleOf),
  };
}

function unknownRule(id: number): UnderstudyError {
  return new UnderstudyError("not_found", `There is no alert rule ${id}`, {
    hint: "GET /api/v1/alert-rules lists them.",
  });
}
