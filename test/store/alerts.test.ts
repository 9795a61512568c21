import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { newId } from "../../src/ids.js";
import type { AlertRule } from "../../src/store/alert-types.js";
import { addShadow, newCandidate, noonMs, openWorld, type World } from "./support.js";

let world: World;
let shadow: Awaited<ReturnType<typeof addShadow>>;
let rule: AlertRule;
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.prisma.alertRule.deleteMany();
  shadow = await addShadow(world);
  rule = await addRule();
});
afterAll(() => world.close());

const addRule = (candidateId: number | null = null) =>
  world.store.alerts.createRule({
    name: "diverges",
    deploymentId: shadow.deployment.id,
    candidateId,
    threshold: 0.1,
    windowMs: 60_000,
    minSamples: 1,
    webhookUrl: "http://127.0.0.1:9/",
    enabled: true,
  });

const fire = (startedAtMs = noonMs, withMessage = true) => {
  const id = newId();
  const message = withMessage ? { id: newId(), url: rule.webhookUrl!, payload: { text: "\0" } } : null;
  const { id: candidateId, liveRunId: runId } = shadow.candidate;
  const alert = {
    id,
    ruleId: rule.id,
    candidateId,
    runId,
    startedAtMs,
    diffRate: 0.5,
    samples: 2,
    mismatches: 1,
  };
  return world.store.alerts.fire(alert, message).then((change) => ({ id, message, ...change }));
};

test("of many that fire at once one alert comes, with one message", async () => {
  const changes = await Promise.all(Array.from({ length: 10 }, () => fire()));
  const won = changes.filter((change) => change.changed);
  expect(won).toHaveLength(1);
  expect(changes.filter((change) => change.deliveryId !== null)).toEqual(won);
  expect(won[0]!.deliveryId).toBe(won[0]!.message!.id);
  expect(await world.prisma.alert.count({ where: { ruleId: rule.id } })).toBe(1);
  expect(await world.prisma.alertDelivery.count({ where: { alertId: won[0]!.id } })).toBe(1);
});

test("an alert without a webhook has no message", async () => {
  expect(await fire(noonMs, false)).toMatchObject({ changed: true, deliveryId: null });
});

test("a message that cannot be put down takes its alert with it", async () => {
  const { id: candidateId, liveRunId: runId } = shadow.candidate;
  const first = await fire();
  await world.store.alerts.resolve(first.id, noonMs, null);
  const alert = {
    id: newId(),
    ruleId: rule.id,
    candidateId,
    runId,
    startedAtMs: noonMs,
    diffRate: 1,
    samples: 1,
    mismatches: 1,
  };
  const taken = { id: first.message!.id, url: "http://127.0.0.1:9/", payload: {} };
  await expect(world.store.alerts.fire(alert, taken)).rejects.toThrow();
  expect(await world.prisma.alert.count({ where: { id: alert.id } })).toBe(0);
});

test("it resolves once, and can then fire again", async () => {
  const first = await fire();
  const resolve = () =>
    world.store.alerts.resolve(first.id, noonMs + 5, { id: newId(), url: rule.webhookUrl!, payload: {} });
  const changes = await Promise.all(Array.from({ length: 10 }, resolve));
  expect(changes.filter((change) => change.changed)).toHaveLength(1);
  expect(await world.prisma.alertDelivery.count({ where: { alertId: first.id } })).toBe(2);
  expect((await fire(noonMs + 10)).changed).toBe(true);
});

test("what is watched: each rule with each active candidate's newest run", async () => {
  const { registry, alerts } = world.store;
  const name = shadow.deployment.name;
  const second = await registry.addCandidate(name, newCandidate({ name: "second" }));
  const own = await addRule(second.id);
  const disabled = await addRule();
  await alerts.updateRule(disabled.id, { enabled: false });
  const { id } = await fire();
  const watched = async () =>
    (await alerts.watches()).map((watch) => [
      watch.rule.id,
      watch.candidate,
      watch.runId,
      watch.open?.id ?? null,
    ]);
  expect(await watched()).toEqual([
    [rule.id, "int8", shadow.candidate.liveRunId, id],
    [rule.id, "second", second.liveRunId, null],
    [own.id, "second", second.liveRunId, null],
  ]);
  expect(await alerts.stale()).toEqual([]);

  const revised = await registry.addCandidate(name, newCandidate({ sha256: "ab" }));
  expect((await watched())[0]).toEqual([rule.id, "int8", revised.liveRunId, null]);
  expect(await alerts.stale()).toMatchObject([
    { id, candidate: "int8", runId: shadow.candidate.liveRunId, rule: { id: rule.id }, samples: 2 },
  ]);
});

test("a message is pending until it is delivered or given up; what comes later changes nothing", async () => {
  const { alerts } = world.store;
  const ids: string[] = [];
  for (let i = 0; i < 2; i++) {
    const { id, deliveryId } = await fire(noonMs + i);
    await alerts.resolve(id, noonMs + i, null);
    ids.push(deliveryId!);
  }
  const [delivered, dead] = ids as [string, string];
  expect(await alerts.pendingDeliveries(10)).toEqual(ids);
  expect(await alerts.pendingDeliveries(1)).toEqual([delivered]);
  expect(await alerts.pendingDelivery(delivered)).toEqual({
    id: delivered,
    url: rule.webhookUrl,
    payload: { text: "\ufffd" },
  });

  await alerts.recordAttempt(delivered, { state: "pending", error: "refused" });
  await alerts.recordAttempt(delivered, { state: "delivered", atMs: noonMs });
  await alerts.recordAttempt(delivered, { state: "dead", error: "late" });
  await alerts.recordAttempt(dead, { state: "dead", error: "gone" });
  const rows = await world.prisma.alertDelivery.findMany({
    where: { id: { in: ids } },
    orderBy: { createdAt: "asc" },
  });
  expect(rows).toMatchObject([
    { state: "delivered", attempts: 2, lastError: null, deliveredAt: new Date(noonMs) },
    { state: "dead", attempts: 1, lastError: "gone", deliveredAt: null },
  ]);
  expect(await alerts.pendingDeliveries(10)).toEqual([]);
  expect(await alerts.pendingDelivery(delivered)).toBeNull();
});

test("a rule takes its alerts and their messages with it", async () => {
  const { id } = await fire();
  await world.store.alerts.deleteRule(rule.id);
  expect(await world.prisma.alertDelivery.count({ where: { alertId: id } })).toBe(0);
  await expect(world.store.alerts.deleteRule(rule.id)).rejects.toMatchObject({ code: "not_found" });
  await expect(world.store.alerts.updateRule(rule.id, {})).rejects.toMatchObject({ code: "not_found" });
});
