import { afterAll, beforeAll, expect, test } from "vitest";
import { openControl, openModelServer, type TestControl } from "./support.js";

let control: TestControl;
let primary: Awaited<ReturnType<typeof openModelServer>>;
beforeAll(async () => {
  [control, primary] = await Promise.all([openControl(), openModelServer()]);
  const body = { name: "digits", primary: { url: primary.url } };
  await control.call("POST", "/deployments", { body });
});
afterAll(async () => {
  await control.close();
  await primary.close();
});

const set = (capture: unknown) => control.call("PATCH", "/deployments/digits", { body: { capture } });

test("settings start empty, change one by one, and reach the gateways", async () => {
  const { body: created } = await control.call("GET", "/deployments/digits");
  expect(created.capture).toEqual({ targets: [], sequences: false, tags: [] });
  const targets = [{ name: "errors", when: { status: "errors" } }];
  expect((await set({ targets })).body.capture).toEqual({ targets, sequences: false, tags: [] });
  const changed = await set({ tags: ["X-Tenant"] });
  expect(changed.body.capture).toEqual({ targets, sequences: false, tags: ["x-tenant"] });
  const { deployments } = await control.store.registry.gatewayConfig();
  expect(deployments[0]!.capture).toEqual(changed.body.capture);
  expect((await set({ targets: [] })).body.capture.targets).toEqual([]);
});

const rule = { name: "r", when: { status: "errors" } };
test.each([
  ["no condition", { targets: [{ name: "r", when: {} }] }, "must name status, slowerThanMs or header"],
  ["two of one name", { targets: [rule, rule] }, "must have names that differ"],
  ["nine rules", { targets: Array.from({ length: 9 }, (_, n) => ({ ...rule, name: `r${n}` })) }, "at most 8"],
  ["a share of nothing", { targets: [{ ...rule, share: 0 }] }, "must be above 0"],
  [
    "a status that is none",
    { targets: [{ name: "r", when: { status: [99] } }] },
    "must be a status from 100 to 599",
  ],
  ["a name for log lines", { targets: [{ ...rule, name: "a b\n" }] }, "must start with a letter or digit"],
  ["credentials as a tag", { tags: ["Authorization"] }, "carries a credential"],
  ["cookies as a tag", { tags: ["cookie"] }, "carries a credential"],
  ["an API key as a tag", { tags: ["X-Api-Key"] }, "carries a credential"],
  [
    "a credential to compare with",
    { targets: [{ name: "r", when: { header: { name: "authorization", equals: "x" } } }] },
    "carries a credential",
  ],
  ["a tag twice", { tags: ["X-A", "x-a"] }, "must name each header once"],
  ["a word that is none", { target: [] }, "Unrecognized key"],
])("refused, and told why: %s", async (_, capture, words) => {
  const before = (await control.call("GET", "/deployments/digits")).body;
  const answer = await set(capture);
  expect(answer.status).toBe(400);
  expect(JSON.stringify(answer.body.errors)).toContain(words);
  expect((await control.call("GET", "/deployments/digits")).body).toEqual(before);
});

test("the switch for all, and the estimate", async () => {
  expect((await control.call("GET", "/capture")).body).toEqual({ enabled: true, changedAt: null });
  const off = await control.call("PATCH", "/capture", { body: { enabled: false } });
  expect(off.body).toMatchObject({ enabled: false, changedAt: expect.any(Number) });
  expect((await control.call("GET", "/capture")).body).toEqual(off.body);
  expect((await control.store.registry.gatewayConfig()).captureEnabled).toBe(false);
  expect((await control.call("PATCH", "/capture", { body: { enabled: true } })).body.enabled).toBe(true);
  expect((await control.call("PATCH", "/capture", { body: {} })).status).toBe(400);
  const estimate = await control.call("GET", "/deployments/digits/estimate");
  expect(estimate.body).toMatchObject({ requests: 0, observedMs: 0, bytesPerDay: null });
  expect((await control.call("GET", "/deployments/none/estimate")).status).toBe(404);
});
