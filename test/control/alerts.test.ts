import { afterAll, beforeAll, expect, test } from "vitest";
import { alertPage, alertRulePage } from "../../src/control/api.js";
import { newId } from "../../src/ids.js";
import { addShadow, noonMs } from "../store/support.js";
import { openControl, type TestControl } from "./support.js";

let control: TestControl;
let shadow: Awaited<ReturnType<typeof addShadow>>;
let rulePath: string;
beforeAll(async () => {
  control = await openControl();
  shadow = await addShadow(control);
});
afterAll(() => control.close());

test("a rule is added with defaults, listed, changed", async () => {
  const deployment = shadow.deployment.name;
  const created = await control.call("POST", "/alert-rules", { body: { deployment, threshold: 0.1 } });
  expect(created.status).toBe(201);
  expect(created.body).toMatchObject({
    deployment,
    candidate: null,
    threshold: 0.1,
    windowMs: 300_000,
    minSamples: 100,
    webhookUrl: null,
    enabled: true,
  });
  rulePath = `/alert-rules/${created.body.id}`;
  const changed = await control.call("PATCH", rulePath, {
    body: { name: "diverges", webhookUrl: "https://hooks.example/x", threshold: 0.2 },
  });
  expect(changed.body).toEqual({
    ...created.body,
    name: "diverges",
    webhookUrl: "https://hooks.example/x",
    threshold: 0.2,
  });
  const body = { deployment, candidate: "int8", threshold: 1, windowMs: 60_000, minSamples: 1 };
  const other = await control.call("POST", "/alert-rules", { body });
  const list = (await control.call("GET", "/alert-rules")).body;
  expect(alertRulePage.parse(list)).toEqual(list);
  expect(list.items).toEqual([changed.body, other.body]);
  expect((await control.call("DELETE", `/alert-rules/${other.body.id}`)).status).toBe(204);
  expect((await control.call("DELETE", `/alert-rules/${other.body.id}`)).status).toBe(404);
});

test.each([
  ["no threshold", { threshold: undefined }, 400, ["threshold"]],
  ["a percentage", { threshold: 10 }, 400, ["threshold"]],
  ["a window below a minute, which is what is counted", { windowMs: 59_999 }, 400, ["windowMs"]],
  ["no samples", { minSamples: 0 }, 400, ["minSamples"]],
  ["a webhook that is no URL", { webhookUrl: "javascript:alert(1)" }, 400, ["webhookUrl"]],
  ["an unknown field", { treshold: 1 }, 400, [""]],
  ["an unknown deployment", { deployment: "none" }, 404, []],
  ["an unknown candidate", { candidate: "none" }, 404, []],
])("a rule with %s is refused", async (_, over, status, fields) => {
  const body = { deployment: shadow.deployment.name, threshold: 0.1, ...over };
  const answer = await control.call("POST", "/alert-rules", { body });
  expect(answer.status).toBe(status);
  expect((answer.body.errors ?? []).map((fault: { path: string }) => fault.path)).toEqual(fields);
});

test.each(["0", "none", "999999", "1e3", "99999999999"])("rule %s is not there", async (id) => {
  const answer = await control.call("PATCH", `/alert-rules/${id}`, { body: { enabled: false } });
  expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
});

test("alerts are listed newest first, page by page, with their messages", async () => {
  const { alerts } = control.store;
  const ruleId = Number(rulePath.split("/").at(-1));
  const { id: candidateId, liveRunId: runId } = shadow.candidate;
  const evidence = { diffRate: 0.5, samples: 200, mismatches: 100 };
  const ids: string[] = [];
  // Two begin in the same millisecond.
  for (const startedAtMs of [noonMs, noonMs + 1, noonMs + 1]) {
    const id = newId();
    ids.push(id);
    const message = { id: newId(), url: "https://hooks.example/x", payload: {} };
    await alerts.fire({ id, ruleId, candidateId, runId, startedAtMs, ...evidence }, message);
    if (ids.length < 3) await alerts.resolve(id, startedAtMs + 5, null);
  }
  const all = (await control.call("GET", "/alerts")).body;
  expect(alertPage.parse(all)).toEqual(all);
  expect(all.items).toHaveLength(3);
  expect(all.items.at(-1)).toMatchObject({
    id: ids[0],
    rule: ruleId,
    ruleName: "diverges",
    deployment: shadow.deployment.name,
    candidate: "int8",
    run: runId,
    state: "resolved",
    threshold: 0.2,
    ...evidence,
    startedAt: noonMs,
    resolvedAt: noonMs + 5,
    deliveries: [{ event: "firing", state: "pending", attempts: 0, lastError: null, deliveredAt: null }],
  });
  const seen: unknown[] = [];
  for (let cursor = ""; ; ) {
    const { body } = await control.call("GET", `/alerts?limit=1${cursor}`);
    seen.push(...body.items);
    if (body.nextCursor === null) break;
    cursor = `&cursor=${body.nextCursor}`;
  }
  expect(seen).toEqual(all.items);
  const firing = (await control.call("GET", `/alerts?state=firing&deployment=${shadow.deployment.name}`))
    .body;
  expect(firing.items.map((item: { id: string }) => item.id)).toEqual([ids[2]]);
  expect((await control.call("GET", "/alerts?deployment=none")).body.items).toEqual([]);
  expect((await control.call("GET", "/alerts?state=quiet")).status).toBe(400);
  expect((await control.call("GET", "/metrics")).body).toMatch(/^understudy_alerts_firing 1$/m);
  expect((await control.call("GET", "/metrics")).body).toMatch(/^understudy_webhooks_pending 3$/m);
});
