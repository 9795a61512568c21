import { alertRuleInclude, alertRuleOf } from "./alert-rules.js";
import type { AlertRule } from "./alert-types.js";
import type { PrismaClient } from "./client.js";
import { jsonText } from "./sql.js";
import type { Imbalance } from "./types.js";

/** What the newest check of a deployment's ledger found. */
export interface LedgerCheck {
  /** Unix milliseconds. */
  atMs: number;
  /** Empty: every sum comes out. */
  imbalances: Imbalance[];
  /** How many checks up to this one, without a break, found any. */
  inARow: number;
}

/** The alert of a rule that fires for a deployment's ledger. */
export interface OpenLedgerAlert {
  id: string;
  rule: AlertRule;
  startedAtMs: number;
  detail: string;
}

export interface LedgerChecks {
  /** Takes the place of the check before. null: the deployment is gone. */
  record(deploymentId: number, atMs: number, imbalances: readonly Imbalance[]): Promise<LedgerCheck | null>;
  /** null: not checked yet. */
  last(deploymentId: number): Promise<LedgerCheck | null>;
  /** Rules of kind `ledger`, the disabled ones too, oldest first. */
  rules(deploymentId: number): Promise<AlertRule[]>;
  open(deploymentId: number): Promise<OpenLedgerAlert[]>;
}

export function createLedgerChecks(prisma: PrismaClient): LedgerChecks {
  return {
    async record(deploymentId, atMs, imbalances) {
      const bad = imbalances.length > 0;
      const [row] = await prisma.$queryRaw<{ inARow: number }[]>`
        INSERT INTO ledger_checks AS old (deployment_id, checked_at, imbalances, in_a_row)
        SELECT id, ${new Date(atMs)}::timestamptz, ${jsonText(imbalances)}::jsonb, ${bad ? 1 : 0}::int
        FROM deployments WHERE id = ${deploymentId}::int
        ON CONFLICT (deployment_id) DO UPDATE
        SET checked_at = excluded.checked_at, imbalances = excluded.imbalances,
            in_a_row = CASE WHEN ${bad}::boolean THEN old.in_a_row + 1 ELSE 0 END
        RETURNING in_a_row AS "inARow"`;
      return row ? { atMs, imbalances: [...imbalances], inARow: row.inARow } : null;
    },
    async last(deploymentId) {
      const row = await prisma.ledgerCheck.findUnique({ where: { deploymentId } });
      if (row === null) return null;
      const imbalances = row.imbalances as unknown as Imbalance[];
      return { atMs: row.checkedAt.getTime(), imbalances, inARow: row.inARow };
    },
    rules: async (deploymentId) => {
      const where = { deploymentId, kind: "ledger" };
      const rows = await prisma.alertRule.findMany({
        where,
        include: alertRuleInclude,
        orderBy: { id: "asc" },
      });
      return rows.map(alertRuleOf);
    },
    open: async (deploymentId) => {
      const rows = await prisma.alert.findMany({
        where: { state: "firing", rule: { deploymentId, kind: "ledger" } },
        include: { rule: { include: alertRuleInclude } },
        orderBy: { id: "asc" },
      });
      return rows.map((row) => ({
        id: row.id,
        rule: alertRuleOf(row.rule),
        startedAtMs: row.startedAt.getTime(),
        detail: row.detail ?? "",
      }));
    },
  };
}
