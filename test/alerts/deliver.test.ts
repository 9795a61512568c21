import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { deliverAlert } from "../../src/alerts/deliver.js";
import { evaluateRules } from "../../src/alerts/evaluate.js";
import { createWebhooks, deliveryIdHeader } from "../../src/alerts/webhook.js";
import { newId } from "../../src/ids.js";
import { createQueues } from "../../src/queue/backend.js";
import { deliverJob, handles } from "../../src/queue/jobs.js";
import { silent } from "../control/support.js";
import { noonMs, openWorld, type World } from "../store/support.js";
import { eventually } from "../support/product.js";
import { ok, openAlerting, openReceiver } from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** An alert that fires, with a message to `url`; and what becomes of that message. */
async function firing(url: string) {
  const scene = await openAlerting(world);
  const rule = await scene.addRule({ webhookUrl: url });
  const alertId = newId();
  const deliveryId = newId();
  await world.store.alerts.fire(
    {
      id: alertId,
      ruleId: rule.id,
      candidateId: scene.candidate.id,
      runId: scene.candidate.liveRunId,
      startedAtMs: noonMs,
      diffRate: 0.5,
      samples: 20,
      mismatches: 10,
    },
    { id: deliveryId, url, payload: { id: deliveryId, note: "\0 <script>" } },
  );
  return { deliveryId, delivery: async () => (await scene.alerts())[0]!.deliveries[0]! };
}

async function deliver(deliveryId: string, options: { allow?: string[]; attempt?: number } = {}) {
  const webhooks = createWebhooks(options.allow ?? [], { timeoutMs: 500 });
  onTestFinished(() => webhooks.close());
  const delivery = { deliveryId, attempt: options.attempt ?? 1, attemptsMax: 3 };
  return deliverAlert({ store: world.store, webhooks, log: silent }, delivery);
}

test("a message arrives once, as JSON, with its id", async () => {
  const receiver = await openReceiver(ok);
  const { deliveryId, delivery } = await firing(receiver.url);
  await deliver(deliveryId, { allow: [receiver.host] });
  for (let i = 0; i < 100; i++) await deliver(deliveryId, { allow: [receiver.host] });
  expect(receiver.received).toHaveLength(1);
  expect(receiver.received[0]).toMatchObject({
    headers: { "content-type": "application/json", [deliveryIdHeader]: deliveryId },
    body: { id: deliveryId, note: "\ufffd <script>" },
  });
  expect(await delivery()).toMatchObject({
    state: "delivered",
    attempts: 1,
    lastError: null,
    deliveredAtMs: expect.any(Number),
  });
});

test("an unknown message is nobody's", async () => {
  await expect(deliver(newId())).resolves.toBeUndefined();
});

describe("what a receiver can do instead", () => {
  const target = () => openReceiver(ok);
  test.each<[string, (response: ServerResponse, elsewhere: string) => void, RegExp]>([
    ["500", (response) => void response.writeHead(500).end(), /answered 500/],
    ["404", (response) => void response.writeHead(404).end(), /answered 404/],
    [
      "redirect",
      (response, location) => void response.writeHead(307, { location }).end(),
      /307; redirects are not/,
    ],
    ["hang", () => {}, /aborted|timeout/i],
    ["hang up", (response) => void response.destroy(), /other side closed|reset|hang up/i],
  ])("%s", async (_, answer, error) => {
    const elsewhere = await target();
    const receiver = await openReceiver((response) => answer(response, elsewhere.url));
    const { deliveryId, delivery } = await firing(receiver.url);
    const allow = [receiver.host, elsewhere.host];
    await expect(deliver(deliveryId, { allow, attempt: 1 })).rejects.toThrow(error);
    expect(await delivery()).toMatchObject({
      state: "pending",
      attempts: 1,
      lastError: expect.stringMatching(error),
    });
    await expect(deliver(deliveryId, { allow, attempt: 2 })).rejects.toThrow(error);
    await expect(deliver(deliveryId, { allow, attempt: 3 })).resolves.toBeUndefined();
    expect(await delivery()).toMatchObject({
      state: "dead",
      attempts: 3,
      lastError: expect.stringMatching(error),
    });
    await deliver(deliveryId, { allow });
    expect(receiver.received.map(({ headers }) => headers[deliveryIdHeader])).toEqual([
      deliveryId,
      deliveryId,
      deliveryId,
    ]);
    expect(elsewhere.received).toEqual([]);
  });

  test("be down", async () => {
    const { deliveryId, delivery } = await firing("http://127.0.0.1:9/");
    await expect(deliver(deliveryId, { allow: ["127.0.0.1:9"] })).rejects.toThrow(/ECONNREFUSED/);
    expect(await delivery()).toMatchObject({ state: "pending", attempts: 1 });
  });

  test("answer without end", async () => {
    const receiver = await openReceiver((response) => {
      const more = setInterval(() => response.write("x".repeat(4096)), 1);
      response.on("close", () => clearInterval(more));
    });
    const { deliveryId, delivery } = await firing(receiver.url);
    await deliver(deliveryId, { allow: [receiver.host] });
    expect(await delivery()).toMatchObject({ state: "delivered" });
  });
});

test.each([
  ["loopback that is not on the list", (port: string) => `http://127.0.0.1:${port}/`],
  ["another port than the list's", (port: string) => `http://127.0.0.1:${port}/?127.0.0.1:1`],
  ["its name", (port: string) => `http://localhost:${port}/`],
  ["its mapped form", (port: string) => `http://[::ffff:127.0.0.1]:${port}/`],
  ["a metadata address", () => "http://169.254.169.254/latest"],
])("%s is refused at once, and for good", async (_, url) => {
  const receiver = await openReceiver(ok);
  const { deliveryId, delivery } = await firing(url(new URL(receiver.url).port));
  await expect(
    deliver(deliveryId, { allow: ["127.0.0.1:1", "169.254.169.254:80"] }),
  ).resolves.toBeUndefined();
  expect(receiver.received).toEqual([]);
  expect(await delivery()).toMatchObject({
    state: "dead",
    attempts: 1,
    lastError: expect.stringMatching(/refused/),
  });
});

test("from a rule to its receiver, through the queue, over a receiver that fails at first", async () => {
  const receiver = await openReceiver((response, count) => {
    response.writeHead(count === 1 ? 503 : 200).end();
  });
  const scene = await openAlerting(world);
  const rule = await scene.addRule({ webhookUrl: receiver.url });
  await scene.judge(noonMs, 10, 10);
  const queues = createQueues({ redisUrl: undefined, databaseUrl: world.url, log: silent });
  onTestFinished(() => queues.close());
  const webhooks = createWebhooks([receiver.host]);
  onTestFinished(() => webhooks.close());
  const handler = handles(deliverJob, ({ deliveryId }, { attempt }) =>
    deliverAlert(
      { store: world.store, webhooks, log: silent },
      { deliveryId, attempt, attemptsMax: deliverJob.attempts },
    ),
  );
  await queues.work("webhooks", [handler], { concurrency: 2 });
  await evaluateRules({ store: world.store, queues, log: silent, now: () => noonMs });
  await eventually(
    async () => (await scene.alerts())[0]?.deliveries[0]?.state,
    (state) => state === "delivered",
  );
  const [first, second, ...more] = receiver.received;
  expect(more).toEqual([]);
  expect(second!.headers[deliveryIdHeader]).toBe(first!.headers[deliveryIdHeader]);
  const [alert] = await scene.alerts();
  expect(second!.body).toEqual({
    id: alert!.deliveries[0]!.id,
    event: "firing",
    alert: {
      id: alert!.id,
      state: "firing",
      run: scene.candidate.liveRunId,
      startedAt: noonMs,
      resolvedAt: null,
    },
    rule: rule.id,
    ruleName: "diverges",
    kind: "diff_rate",
    deployment: scene.deployment.name,
    candidate: "int8",
    diffRate: 0.5,
    samples: 20,
    mismatches: 10,
    detail: null,
    threshold: 0.1,
    windowMs: 120_000,
    startedAt: noonMs,
  });
});
