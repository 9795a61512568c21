import { ledger, rangeQuery, summary, summaryQuery } from "../api.js";
import type { ControlContext } from "../context.js";
import { ledgerCheckView } from "../ledger-check-view.js";
import { type Route, route } from "../route.js";
import { chosenRun } from "../runs.js";
import { summaryOf } from "../summary.js";

/** The two accounts: of every request of a deployment, and of what a candidate's comparisons came to. */
export function accountRoutes({ store, config }: Pick<ControlContext, "store" | "config">): Route[] {
  return [
    route({
      method: "get",
      path: "/deployments/{deployment}/ledger",
      summary: "The account of every request, by whole minutes of receipt",
      query: rangeQuery,
      response: ledger,
      problems: [404],
      handle: async ({ params, query }) => {
        const { id } = await store.registry.getDeployment(params.deployment);
        const retention = { days: config.retentionDays, ...(await store.retention.state(id)) };
        const check = ledgerCheckView(await store.ledgerChecks.last(id));
        return { ...(await store.ledger.read(id, timeRange(query))), check, retention };
      },
    }),
    route({
      method: "get",
      path: "/deployments/{deployment}/candidates/{candidate}/summary",
      summary: "What a run's comparisons came to, by whole minutes of receipt; default: the newest live run",
      query: summaryQuery,
      response: summary,
      problems: [404],
      handle: async ({ params, query }) => {
        const candidate = await store.registry.getCandidate(params.deployment, params.candidate);
        const run = await chosenRun(store, candidate, query.run);
        const series = await store.rollups.summary(run, timeRange(query));
        const ledgerCheck = ledgerCheckView(await store.ledgerChecks.last(candidate.deploymentId));
        return { ...summaryOf(run, series), ledgerCheck, verdict: await store.gates.verdictOf(run) };
      },
    }),
  ];
}

function timeRange({ from, to }: { from?: number | undefined; to?: number | undefined }) {
  return { fromMs: from ?? null, toMs: to ?? null };
}
