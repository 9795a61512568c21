import { afterAll, beforeAll, expect, test } from "vitest";
import { checkLedgers } from "../../src/alerts/check-ledgers.js";
import { deliverAlert } from "../../src/alerts/deliver.js";
import { evaluateRules } from "../../src/alerts/evaluate.js";
import { createWebhooks } from "../../src/alerts/webhook.js";
import { createQueues, type Queues } from "../../src/queue/backend.js";
import { silent } from "../control/support.js";
import {
  addShadow,
  captureRow,
  leaseSegment,
  noonMs,
  openWorld,
  outcomeRow,
  type World,
} from "../store/support.js";
import { ok, openReceiver } from "./support.js";

let world: World;
let queues: Queues;
beforeAll(async () => {
  world = await openWorld();
  queues = createQueues({ redisUrl: undefined, databaseUrl: world.url, log: silent });
});
afterAll(async () => {
  await queues.close();
  await world.close();
});

const check = (atMs: number) => checkLedgers({ store: world.store, log: silent, now: () => atMs });

/** A deployment with four captures, each judged. */
async function openScene() {
  const { deployment, candidate } = await addShadow(world);
  const captures = [0, 1, 2, 3].map((row) => captureRow(row));
  const { work } = await leaseSegment(world, deployment.id, captures);
  const rows = captures.map((capture) => outcomeRow(capture));
  await world.store.outcomes.commitWork({ workId: work.id, lease: work.lease, judgedAtMs: noonMs, rows });
  const count = (term: string, n: number) => world.prisma.$executeRawUnsafe(term, n, deployment.id);
  return {
    deployment,
    run: candidate.liveRunId,
    alerts: () =>
      world.store.alerts.listAlerts({ deployment: deployment.name, state: null, before: null, limit: 10 }),
    miscount: {
      received: (n: number) =>
        count("UPDATE ledger_counts SET received = received + $1 WHERE deployment_id = $2", n),
      ended: (n: number) =>
        count(
          `UPDATE rollup_deltas SET counts = ARRAY[counts[1] + $1]
           WHERE series = 'dispositions' AND run_id IN (SELECT id FROM runs WHERE deployment_id = $2)`,
          n,
        ),
      captured: (n: number) =>
        count(
          `UPDATE ledger_deltas SET counts[2] = counts[2] + $1
           WHERE labels[2] LIKE 'captured:%' AND deployment_id = $2`,
          n,
        ),
    },
  };
}

test("a ledger that balances is checked, and no alert", async () => {
  const { deployment, alerts } = await openScene();
  for (const second of [0, 30, 60]) await check(noonMs + second * 1_000);
  expect(await world.store.ledgerChecks.last(deployment.id)).toEqual({
    atMs: noonMs + 60_000,
    imbalances: [],
    inARow: 0,
  });
  expect(await alerts()).toEqual([]);
});

test.each([
  { what: "received", n: 3, detail: "received: 3 requests are in no state" },
  { what: "received", n: -1, detail: "received: 1 request is counted twice" },
  { what: "ended", n: 2, detail: "ended of int8, run RUN: 2 captures are counted twice" },
  { what: "ended", n: -1, detail: "ended of int8, run RUN: 1 capture is in no state" },
] as const)("a miscount of $n in $what fires once, and resolves once when it is gone", async (row) => {
  const { deployment, run, alerts, miscount } = await openScene();
  const receiver = await openReceiver(ok);
  await world.store.alerts.createRule({
    ...{ kind: "ledger", name: "account", deploymentId: deployment.id, candidateId: null },
    ...{ threshold: 0, windowMs: 0, minSamples: 0, webhookUrl: receiver.url, enabled: true },
  });
  await miscount[row.what](row.n);
  await check(noonMs);
  expect(await alerts()).toEqual([]);
  for (const second of [30, 60, 90]) await check(noonMs + second * 1_000);
  const detail = row.detail.replace("RUN", String(run));
  const fired = { state: "firing", detail, candidate: null, runId: null, startedAtMs: noonMs + 30_000 };
  expect(await alerts()).toMatchObject([{ ...fired, deliveries: [{ event: "firing" }] }]);
  expect(await world.store.ledger.read(deployment.id, { fromMs: null, toMs: null })).toMatchObject({
    balanced: false,
  });

  await miscount[row.what](-row.n);
  await check(noonMs + 120_000);
  await check(noonMs + 150_000);
  expect(await alerts()).toMatchObject([
    { state: "resolved", resolvedAtMs: noonMs + 120_000, deliveries: [{}, { event: "resolved" }] },
  ]);

  // The evaluation of rules leaves it alone, and has its messages sent.
  await evaluateRules({ store: world.store, queues, log: silent });
  const webhooks = createWebhooks([receiver.host]);
  for (const deliveryId of await world.store.alerts.pendingDeliveries(10)) {
    await deliverAlert(
      { store: world.store, webhooks, log: silent },
      { deliveryId, attempt: 1, attemptsMax: 1 },
    );
  }
  await webhooks.close();
  expect(receiver.received.map(({ body }) => [body.event, body.kind, body.candidate, body.detail])).toEqual([
    ["firing", "ledger", null, detail],
    ["resolved", "ledger", null, detail],
  ]);
});

test("without a rule it fires all the same; a disabled rule keeps it quiet", async () => {
  const { deployment, alerts, miscount } = await openScene();
  await miscount.captured(1);
  await check(noonMs);
  await check(noonMs + 30_000);
  const [alert, ...others] = await alerts();
  expect(others).toEqual([]);
  expect(alert).toMatchObject({
    state: "firing",
    rule: { kind: "ledger", name: `${deployment.name}: ledger` },
  });
  expect(alert!.detail).toContain("received: 1 request is counted twice");
  await world.store.alerts.updateRule(alert!.rule.id, { enabled: false });
  await check(noonMs + 60_000);
  await check(noonMs + 90_000);
  expect(await alerts()).toMatchObject([{ id: alert!.id, state: "resolved" }]);
});
