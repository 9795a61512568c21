import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { evaluateRules } from "../../src/alerts/evaluate.js";
import { createQueues, type Queues } from "../../src/queue/backend.js";
import { silent } from "../control/support.js";
import { noonMs, openWorld, type World } from "../store/support.js";
import { openAlerting } from "./support.js";

let world: World;
let queues: Queues;
let scene: Awaited<ReturnType<typeof openAlerting>>;
beforeAll(async () => {
  world = await openWorld();
  queues = createQueues({ redisUrl: undefined, databaseUrl: world.url, log: silent });
});
beforeEach(async () => {
  await world.prisma.alertRule.deleteMany();
  scene = await openAlerting(world);
});
afterAll(async () => {
  await queues.close();
  await world.close();
});

const minuteMs = 60_000;
const webhookUrl = "http://127.0.0.1:9/";

const evaluate = (atMs: number) =>
  evaluateRules({ store: world.store, queues, log: silent, now: () => atMs });

test.each<[string, [number, number], boolean]>([
  ["nothing was judged", [0, 0], false],
  ["too few samples", [0, 9], false],
  ["at the threshold", [90, 10], false],
  ["just above it", [89, 11], true],
  ["all mismatch", [0, 10], true],
])("%s", async (_, [matches, mismatches], fires) => {
  await scene.addRule();
  if (matches + mismatches > 0) await scene.judge(noonMs, matches, mismatches);
  await evaluate(noonMs + 1_000);
  expect(await scene.alerts()).toHaveLength(fires ? 1 : 0);
});

test("it fires once and resolves once, however often and from wherever it is evaluated", async () => {
  const rule = await scene.addRule({ webhookUrl });
  await scene.judge(noonMs, 10, 10);
  await Promise.all(Array.from({ length: 8 }, () => evaluate(noonMs + 1_000)));
  await evaluate(noonMs + 2_000);
  const [firing, ...others] = await scene.alerts();
  expect(others).toEqual([]);
  expect(firing).toMatchObject({
    rule: { id: rule.id },
    candidate: "int8",
    state: "firing",
    diffRate: 0.5,
    samples: 20,
    mismatches: 10,
    startedAtMs: noonMs + 1_000,
    resolvedAtMs: null,
    deliveries: [{ event: "firing", state: "pending", url: webhookUrl }],
  });

  // The bad minute has left the window.
  const laterMs = noonMs + 5 * minuteMs;
  await scene.judge(laterMs, 20, 1);
  await Promise.all(Array.from({ length: 8 }, () => evaluate(laterMs + 1_000)));
  await evaluate(laterMs + 2_000);
  expect(await scene.alerts()).toEqual([
    expect.objectContaining({
      id: firing!.id,
      state: "resolved",
      diffRate: 0.5,
      resolvedAtMs: laterMs + 1_000,
      deliveries: [
        expect.objectContaining({ event: "firing" }),
        expect.objectContaining({ event: "resolved" }),
      ],
    }),
  ]);

  await scene.judge(laterMs + minuteMs, 0, 20);
  await evaluate(laterMs + minuteMs + 1_000);
  expect((await scene.alerts()).map((alert) => alert.state)).toEqual(["firing", "resolved"]);
});

test("while too little is judged a firing alert goes on firing", async () => {
  await scene.addRule();
  await scene.judge(noonMs, 0, 10);
  await evaluate(noonMs);
  await evaluate(noonMs + 60 * minuteMs);
  await scene.judge(noonMs + 60 * minuteMs, 9, 0);
  await evaluate(noonMs + 60 * minuteMs);
  expect(await scene.alerts("firing")).toHaveLength(1);
});

describe("an alert whose rule no longer watches its run ends", () => {
  test.each<[string, (ruleId: number) => Promise<unknown>]>([
    ["another policy", () => world.store.registry.setPolicy(scene.deployment.name, { outputs: {} })],
    ["a disabled rule", (id) => world.store.alerts.updateRule(id, { enabled: false })],
    [
      "a retired candidate",
      () => world.prisma.candidate.update({ where: { id: scene.candidate.id }, data: { state: "retired" } }),
    ],
  ])("%s", async (_, change) => {
    const rule = await scene.addRule({ webhookUrl });
    await scene.judge(noonMs, 0, 10);
    await evaluate(noonMs);
    await change(rule.id);
    await evaluate(noonMs + 1_000);
    await evaluate(noonMs + 2_000);
    expect(await scene.alerts()).toMatchObject([
      {
        state: "resolved",
        resolvedAtMs: noonMs + 1_000,
        deliveries: [{ event: "firing" }, { event: "resolved" }],
      },
    ]);
  });
});

test("a rule for one candidate leaves the others alone; one for all fires for each", async () => {
  const { registry } = world.store;
  const second = await registry.addCandidate(scene.deployment.name, {
    name: "second",
    endpoint: { url: "http://127.0.0.1:9", model: "m", version: null, headers: {} },
    sha256: null,
    metadata: {},
  });
  await scene.addRule({ candidateId: second.id });
  await scene.judge(noonMs, 0, 10);
  await evaluate(noonMs);
  expect(await scene.alerts()).toEqual([]);
  await scene.addRule();
  await evaluate(noonMs);
  expect((await scene.alerts()).map((alert) => alert.candidate)).toEqual(["int8"]);
});

test("the window is of the minutes in which was judged, not captured", async () => {
  await scene.addRule({ windowMs: 60_000 });
  await scene.judge(noonMs + 59_000, 0, 10);
  await evaluate(noonMs + 3 * minuteMs);
  expect(await scene.alerts()).toEqual([]);
  await evaluate(noonMs + minuteMs + 59_999);
  expect(await scene.alerts()).toHaveLength(1);
});

test("every message that is not delivered is queued, once", async () => {
  await scene.addRule({ webhookUrl });
  await scene.judge(noonMs, 0, 10);
  const before = await queues.counts("webhooks");
  await evaluate(noonMs);
  await evaluate(noonMs);
  expect((await queues.counts("webhooks")).waiting).toBe(before.waiting + 1);
});

test("without a queue the alert is kept, and its message is queued once there is one", async () => {
  await scene.addRule({ webhookUrl });
  await scene.judge(noonMs, 0, 10);
  const down = createQueues({ redisUrl: "redis://127.0.0.1:9", databaseUrl: world.url, log: silent });
  onTestFinished(() => down.close());
  await expect(
    evaluateRules({ store: world.store, queues: down, log: silent, now: () => noonMs }),
  ).rejects.toMatchObject({ code: "queue_unreachable" });
  expect(await scene.alerts("firing")).toHaveLength(1);
  const { waiting } = await queues.counts("webhooks");
  await evaluate(noonMs + 1_000);
  expect((await queues.counts("webhooks")).waiting).toBe(waiting + 1);
  expect(await scene.alerts()).toHaveLength(1);
});
