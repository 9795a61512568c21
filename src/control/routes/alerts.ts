import { z } from "zod";
import { UnderstudyError } from "../../errors.js";
import {
  alertPage,
  alertRule,
  alertRuleCreate,
  alertRulePage,
  alertRuleUpdate,
  alertsQuery,
  pageQuery,
} from "../api.js";
import type { ControlContext } from "../context.js";
import { decodeCursor, encodeCursor, pageOfAll } from "../cursor.js";
import { type Route, route } from "../route.js";
import { alertRuleView, alertView } from "../views.js";

export function alertRoutes({ store }: Pick<ControlContext, "store">): Route[] {
  const { alerts, registry } = store;
  return [
    route({
      method: "get",
      path: "/alert-rules",
      summary: "All alert rules, oldest first",
      query: pageQuery,
      response: alertRulePage,
      handle: async ({ query }) =>
        pageOfAll((await alerts.listRules()).map(alertRuleView), (item) => item.id, query),
    }),
    route({
      method: "post",
      path: "/alert-rules",
      summary:
        "Add a rule: it fires while the diff rate of a window is above the threshold, or the ledger does not balance",
      body: alertRuleCreate,
      status: 201,
      response: alertRule,
      problems: [403, 404],
      handle: async ({ body }) => {
        const { deployment, candidate, name, webhookUrl, kind, threshold = 0, ...rest } = body;
        const numbers = kind === "ledger" ? { ...rest, windowMs: 0, minSamples: 0 } : rest;
        const watched = kind === "ledger" ? "ledger" : "diff rate";
        const { id: deploymentId } = await registry.getDeployment(deployment);
        const target = candidate === undefined ? null : await registry.getCandidate(deployment, candidate);
        const rule = await alerts.createRule({
          kind,
          threshold,
          ...numbers,
          name: name ?? `${deployment}${candidate === undefined ? "" : `/${candidate}`}: ${watched}`,
          deploymentId,
          candidateId: target?.id ?? null,
          webhookUrl: webhookUrl ?? null,
        });
        return alertRuleView(rule);
      },
    }),
    route({
      method: "patch",
      path: "/alert-rules/{rule}",
      summary: "Change a rule; absent fields stay",
      body: alertRuleUpdate,
      response: alertRule,
      problems: [403, 404],
      handle: async ({ params, body }) => alertRuleView(await alerts.updateRule(ruleId(params.rule), body)),
    }),
    route({
      method: "delete",
      path: "/alert-rules/{rule}",
      summary: "Delete a rule and its alerts",
      status: 204,
      problems: [403, 404],
      handle: async ({ params }) => {
        await alerts.deleteRule(ruleId(params.rule));
        return undefined;
      },
    }),
    route({
      method: "get",
      path: "/alerts",
      summary: "Alerts with their messages, newest first",
      query: alertsQuery,
      response: alertPage,
      handle: async ({ query }) => {
        const limit = query.limit ?? limitDefault;
        const found = await alerts.listAlerts({
          deployment: query.deployment ?? null,
          state: query.state ?? null,
          before: query.cursor === undefined ? null : positionOf(query.cursor),
          limit: limit + 1,
        });
        const page = found.slice(0, limit);
        const last = page.at(-1);
        const more = found.length > limit && last !== undefined;
        return {
          items: page.map(alertView),
          nextCursor: more ? encodeCursor([last.startedAtMs, last.id]) : null,
        };
      },
    }),
  ];
}

const limitDefault = 50;

function positionOf(cursor: string): { startedAtMs: number; id: string } {
  const moment = z.number().int().min(0).max(253_402_300_799_999);
  const [startedAtMs, id] = decodeCursor(cursor, z.tuple([moment, z.uuid()]));
  return { startedAtMs, id };
}

function ruleId(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UnderstudyError("not_found", "There is no such alert rule", {
    hint: "GET /api/v1/alert-rules lists them.",
  });
}
