import { alertRuleInclude, alertRuleOf } from "./alert-rules.js";
import type { Alert, AlertState, Cause, Evidence, NewDelivery, StaleAlert, Watch } from "./alert-types.js";
import type { PrismaClient } from "./client.js";
import { Prisma } from "./generated/client.js";
import type { AlertGetPayload } from "./generated/models/Alert.js";
import { jsonText } from "./sql.js";

/** What becomes of a change of state: nothing, if another process made it first. */
export interface AlertChange {
  changed: boolean;
  /** The message that was put down with it. */
  deliveryId: string | null;
}

export interface AlertStates {
  /** Every enabled rule with each active candidate it applies to. */
  watches(): Promise<Watch[]>;
  /** Alerts that fire for a disabled rule, a retired candidate, or a run that is no longer the newest. */
  stale(): Promise<StaleAlert[]>;
  /** Opens an alert, at most one at a time for a rule and a run (or ledger), and puts down its message, in one statement. */
  fire(
    alert: {
      id: string;
      ruleId: number;
      candidateId: number | null;
      runId: number | null;
      startedAtMs: number;
    } & Omit<Cause, "detail"> & { detail?: string },
    message: NewDelivery | null,
  ): Promise<AlertChange>;
  /** Ends an alert, once, and puts down its message, in one statement. */
  resolve(alertId: string, resolvedAtMs: number, message: NewDelivery | null): Promise<AlertChange>;
  /** Newest first. `before`: the last of the page before. */
  listAlerts(query: {
    deployment: string | null;
    state: AlertState | null;
    before: { startedAtMs: number; id: string } | null;
    limit: number;
  }): Promise<Alert[]>;
}

export function createAlertStates(prisma: PrismaClient): AlertStates {
  return {
    watches: () => watches(prisma),
    stale: () => stale(prisma),
    fire: (alert, message) =>
      change(
        prisma,
        Prisma.sql`
          INSERT INTO alerts
            (id, rule_id, candidate_id, run_id, open_key, state, diff_rate, samples, mismatches, detail, started_at)
          VALUES
            (${alert.id}::uuid, ${alert.ruleId}, ${alert.candidateId}, ${alert.runId},
             ${openKey(alert.ruleId, alert.runId)}, 'firing', ${alert.diffRate}, ${alert.samples}::bigint,
             ${alert.mismatches}::bigint, ${alert.detail ?? null}, ${new Date(alert.startedAtMs)}::timestamptz)
          ON CONFLICT (open_key) DO NOTHING
          RETURNING id`,
        "firing",
        message,
      ),
    resolve: (alertId, resolvedAtMs, message) =>
      change(
        prisma,
        Prisma.sql`
          UPDATE alerts
          SET state = 'resolved', open_key = NULL, resolved_at = ${new Date(resolvedAtMs)}::timestamptz
          WHERE id = ${alertId}::uuid AND state = 'firing'
          RETURNING id`,
        "resolved",
        message,
      ),
    listAlerts: async ({ deployment, state, before, limit }) => {
      const alerts = await prisma.alert.findMany({
        where: {
          ...(deployment === null ? {} : { rule: { deployment: { name: deployment } } }),
          ...(state === null ? {} : { state }),
          ...(before === null
            ? {}
            : {
                OR: [
                  { startedAt: { lt: new Date(before.startedAtMs) } },
                  { startedAt: new Date(before.startedAtMs), id: { lt: before.id } },
                ],
              }),
        },
        include: alertInclude,
        orderBy: [{ startedAt: "desc" }, { id: "desc" }],
        take: limit,
      });
      const names = await candidateNames(
        prisma,
        alerts.flatMap(({ candidateId }) => candidateId ?? []),
      );
      return alerts.map((alert) => alertOf(alert, names));
    },
  };
}

const openKey = (ruleId: number, runId: number | null) => `firing:${ruleId}:${runId ?? "ledger"}`;

async function watches(prisma: PrismaClient): Promise<Watch[]> {
  const rules = await prisma.alertRule.findMany({
    where: { enabled: true, kind: "diff_rate" },
    include: alertRuleInclude,
    orderBy: { id: "asc" },
  });
  const targets = await prisma.$queryRaw<
    { ruleId: number; candidateId: number; candidate: string; runId: number }[]
  >`
    SELECT r.id AS "ruleId", c.id AS "candidateId", c.name AS candidate, live.id AS "runId"
    FROM alert_rules r
    JOIN candidates c ON c.deployment_id = r.deployment_id AND c.id = coalesce(r.candidate_id, c.id)
    JOIN LATERAL (
      SELECT max(id) AS id FROM runs WHERE candidate_id = c.id AND kind = 'live'
    ) live ON live.id IS NOT NULL
    WHERE r.enabled AND r.kind = 'diff_rate' AND c.state = 'active'
    ORDER BY r.id, c.id`;
  const firing = await prisma.alert.findMany({ where: { state: "firing" } });
  const byKey = new Map(firing.map((alert) => [alert.openKey, alert]));
  const byId = new Map(rules.map((rule) => [rule.id, alertRuleOf(rule)]));
  return targets.flatMap(({ ruleId, ...target }) => {
    const rule = byId.get(ruleId);
    // A rule made between the two reads waits for the next round.
    if (!rule) return [];
    const open = byKey.get(openKey(ruleId, target.runId));
    return [
      {
        rule,
        ...target,
        open: open ? { id: open.id, startedAtMs: open.startedAt.getTime(), ...evidenceOf(open) } : null,
      },
    ];
  });
}

async function stale(prisma: PrismaClient): Promise<StaleAlert[]> {
  const found = await prisma.$queryRaw<{ id: string; candidate: string }[]>`
    SELECT a.id::text AS id, c.name AS candidate
    FROM alerts a
    JOIN alert_rules r ON r.id = a.rule_id
    JOIN candidates c ON c.id = a.candidate_id
    WHERE a.state = 'firing' AND (
      NOT r.enabled OR c.state <> 'active'
      OR a.run_id <> (SELECT max(id) FROM runs WHERE candidate_id = c.id AND kind = 'live')
    )`;
  const names = new Map(found.map((row) => [row.id, row.candidate]));
  const alerts = await prisma.alert.findMany({
    where: { id: { in: [...names.keys()] } },
    include: { rule: { include: alertRuleInclude } },
  });
  return alerts.map((alert) => ({
    id: alert.id,
    startedAtMs: alert.startedAt.getTime(),
    ...evidenceOf(alert),
    rule: alertRuleOf(alert.rule),
    candidate: names.get(alert.id)!,
    runId: alert.runId!,
  }));
}

/** Runs a change of state and, only if it happened, puts down its message. */
async function change(
  prisma: PrismaClient,
  statement: Prisma.Sql,
  event: AlertState,
  message: NewDelivery | null,
): Promise<AlertChange> {
  const [row] = await prisma.$queryRaw<{ changed: boolean; deliveryId: string | null }[]>`
    WITH changed AS (${statement}),
    message AS (
      INSERT INTO alert_deliveries (id, alert_id, event, url, payload)
      SELECT ${message?.id ?? null}::uuid, id, ${event}, ${message?.url ?? null},
             ${jsonText(message?.payload)}::jsonb
      FROM changed WHERE ${message !== null}
      RETURNING id
    )
    SELECT EXISTS (SELECT FROM changed) AS changed, (SELECT id::text FROM message) AS "deliveryId"`;
  return row!;
}

const alertInclude = {
  rule: { include: alertRuleInclude },
  deliveries: { orderBy: { createdAt: "asc" } },
} as const;

/** Alerts keep no foreign key to their candidate, so its name is looked up. */
async function candidateNames(prisma: PrismaClient, ids: number[]): Promise<Map<number, string>> {
  const rows = await prisma.candidate.findMany({
    where: { id: { in: [...new Set(ids)] } },
    select: { id: true, name: true },
  });
  return new Map(rows.map((row) => [row.id, row.name]));
}

function alertOf(
  row: AlertGetPayload<{ include: typeof alertInclude }>,
  names: ReadonlyMap<number, string>,
): Alert {
  return {
    id: row.id,
    rule: alertRuleOf(row.rule),
    candidate: row.candidateId === null ? null : (names.get(row.candidateId) ?? ""),
    runId: row.runId,
    state: row.state as AlertState,
    diffRate: row.diffRate,
    samples: numberOf(row.samples),
    mismatches: numberOf(row.mismatches),
    detail: row.detail,
    startedAtMs: row.startedAt.getTime(),
    resolvedAtMs: row.resolvedAt?.getTime() ?? null,
    deliveries: row.deliveries.map((delivery) => ({
      id: delivery.id,
      event: delivery.event as AlertState,
      url: delivery.url,
      state: delivery.state as "pending" | "delivered" | "dead",
      attempts: delivery.attempts,
      lastError: delivery.lastError,
      createdAtMs: delivery.createdAt.getTime(),
      deliveredAtMs: delivery.deliveredAt?.getTime() ?? null,
    })),
  };
}

/** Of an alert of a diff rate. */
function evidenceOf(row: {
  diffRate: number | null;
  samples: bigint | null;
  mismatches: bigint | null;
}): Evidence {
  return { diffRate: row.diffRate ?? 0, samples: Number(row.samples), mismatches: Number(row.mismatches) };
}

const numberOf = (n: bigint | null) => (n === null ? null : Number(n));
