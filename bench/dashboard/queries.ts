import { summaryOf } from "../../src/control/summary.js";
import type { ComparisonQuery, ComparisonSort } from "../../src/store/comparisons.js";
import { candidateName, deploymentName } from "../store/database.js";
import type { World } from "./world.js";

/** Asks one database what a page asks; the answer is for the check. */
export type Ask = (world: World) => Promise<unknown>;

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** By what a table of comparisons is filtered, each on its own, and some at once. */
const filters: Record<string, Partial<ComparisonQuery>> = {
  all: {},
  match: { result: "match" },
  mismatch: { result: "mismatch" },
  ignored: { result: "ignored" },
  incomparable: { result: "incomparable" },
  targeted: { sample: "targeted" },
  "output logits": { output: "logits" },
  "output logits, mismatch": { output: "logits", result: "mismatch" },
  "output boxes, shape": { output: "boxes", kind: "shape" },
  "kind value": { kind: "value" },
  "kind non_finite": { kind: "non_finite" },
  "frequent group": { signature: "group-0" },
  "rare group": { signature: "group-39" },
  "mismatch of base": { result: "mismatch", sample: "base" },
  "frequent tag": { tag: { name: "client", value: "c3" } },
  "tag of one": { tag: { name: "x-request-id", value: "0000000010e1" } },
  "no such tag": { tag: { name: "x-request-id", value: "10e1" } },
  "no such output": { output: "logit" },
  "no such kind": { kind: "dtype" },
};

export const sorts: readonly ComparisonSort[] = ["capturedAt", "maxAbs", "candidateMs"];

/** A page of a table, as the route asks for it. */
export function comparisonQuery(runId: number, part: Partial<ComparisonQuery>): ComparisonQuery {
  return {
    runId,
    result: null,
    sample: null,
    output: null,
    kind: null,
    signature: null,
    tag: null,
    fromMs: null,
    toMs: null,
    sort: "capturedAt",
    descending: true,
    limit: 51,
    after: null,
    ...part,
  };
}

/** Every filter by every sort, both ways, and pages from the middle of each order. */
export function tableQueries(): Record<string, (world: World) => ComparisonQuery> {
  const queries: Record<string, (world: World) => ComparisonQuery> = {};
  for (const sort of sorts) {
    for (const descending of [true, false]) {
      const order = `${descending ? "-" : ""}${sort}`;
      for (const [name, filter] of Object.entries(filters)) {
        queries[`table, ${order}: ${name}`] = ({ runId }) =>
          comparisonQuery(runId, { ...filter, sort, descending });
      }
      queries[`table, ${order}: one day`] = ({ runId, lastMs }) =>
        comparisonQuery(runId, { fromMs: lastMs - 3 * dayMs, toMs: lastMs - 2 * dayMs, sort, descending });
      for (const name of ["all", "mismatch"]) {
        queries[`table, ${order}: ${name}, from the middle`] = ({ runId, middle }) =>
          comparisonQuery(runId, { ...filters[name], sort, descending, after: middle[sort] });
      }
    }
  }
  return queries;
}

/** What else the pages ask: overview, a candidate's page, the ledger; and what the alerts do. */
export const pageQueries: Record<string, Ask> = {
  deployments: ({ store }) => store.registry.listDeployments(),
  candidates: ({ store }) => store.registry.listCandidates(deploymentName),
  candidate: ({ store }) => store.registry.getCandidate(deploymentName, candidateName),
  "firing alerts": ({ store }) =>
    store.alerts.listAlerts({ deployment: deploymentName, state: "firing", before: null, limit: 51 }),
  "alert rules": ({ store }) => store.alerts.watches(),
  signatures: ({ store, candidateId, runId }) => store.signatures.list(candidateId, runId),
  "retention of the ledger": ({ store, deploymentId }) => store.retention.state(deploymentId),
  ...spans("summary", async ({ store, runId }, fromMs) =>
    summaryOf(runId, await store.rollups.summary(runId, { fromMs, toMs: null })),
  ),
  ...spans("ledger", ({ store, deploymentId }, fromMs) =>
    store.ledger.read(deploymentId, { fromMs, toMs: null }),
  ),
  ...spans("alert window", ({ store, runId }, fromMs) => store.rollups.window(runId, fromMs ?? 0)),
  comparison: ({ store, runId, middle }) =>
    store.comparisons.get({ runId, captureId: middle.capturedAt.captureId }),
};

/** Of the times that a page offers; none begins with an hour. */
function spans(
  name: string,
  ask: (world: World, fromMs: number | null) => Promise<unknown>,
): Record<string, Ask> {
  return {
    [`${name}, ever`]: (world) => ask(world, null),
    [`${name}, last hour`]: (world) => ask(world, world.lastMs - hourMs - 17 * 60_000),
    [`${name}, last day`]: (world) => ask(world, world.lastMs - dayMs - 107 * 60_000),
    [`${name}, last week`]: (world) => ask(world, world.lastMs - 7 * dayMs - 107 * 60_000),
  };
}
