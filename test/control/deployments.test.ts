import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openControl, openModelServer, type TestControl } from "./support.js";

let control: TestControl;
let primary: Awaited<ReturnType<typeof openModelServer>>;
beforeAll(async () => {
  [control, primary] = await Promise.all([openControl(), openModelServer()]);
});
afterAll(async () => {
  await control.close();
  await primary.close();
});

const names = ["one", "Two", "ten.2"];

test("a deployment is registered, listed page by page, shown and changed", async () => {
  const created = await control.call("POST", "/deployments", {
    body: { name: "digits", primary: { url: `${primary.url}/` }, sampleRate: 0.25 },
  });
  expect(created.status).toBe(201);
  expect(created.body).toMatchObject({
    name: "digits",
    primary: { url: primary.url, model: "digits", version: null, headers: {} },
    control: null,
    sampleRate: 0.25,
    captureEnabled: true,
  });
  expect(Math.abs(created.body.createdAt - Date.now())).toBeLessThan(60_000);

  for (const name of names) {
    const body = { name, primary: { url: primary.url } };
    expect((await control.call("POST", "/deployments", { body })).status).toBe(201);
  }
  const seen: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page = await control.call("GET", `/deployments?limit=3${cursor && `&cursor=${cursor}`}`);
    seen.push(...page.body.items.map((item: { name: string }) => item.name));
    cursor = page.body.nextCursor;
  }
  expect(seen).toEqual(["digits", ...names].sort());

  const changed = await control.call("PATCH", "/deployments/digits", {
    body: {
      captureEnabled: false,
      control: { url: primary.url, version: "1", headers: { Authorization: "token" } },
    },
  });
  expect(changed.body).toMatchObject({
    sampleRate: 0.25,
    captureEnabled: false,
    control: { url: primary.url, version: "1", headers: { Authorization: "token" } },
  });
  expect(primary.asked).toContain("sesame /v2/models/digits/versions/1");
  expect(changed.body.revision).toBeGreaterThan(created.body.revision);
  expect((await control.call("GET", "/deployments/digits")).body).toEqual(changed.body);

  const without = await control.call("PATCH", "/deployments/digits", { body: { control: null } });
  expect(without.body.control).toBeNull();
});

test("a policy is filled in, versioned, and opens new runs", async () => {
  const body = { name: "policed", primary: { url: primary.url } };
  await control.call("POST", "/deployments", { body });
  const candidate = { name: "next", url: primary.url, model: "digits" };
  const before = await control.call("POST", "/deployments/policed/candidates", { body: candidate });
  expect((await control.call("GET", "/deployments/policed/policy")).body).toMatchObject({
    version: 1,
    body: { outputs: { "*": { rule: "numpy", atol: 1e-8, rtol: 1e-5 } } },
  });
  const put = await control.call("PUT", "/deployments/policed/policy", {
    body: { outputs: { logits: { rule: "polygraphy", atol: 0.5 } } },
  });
  expect(put.body).toMatchObject({
    version: 2,
    body: { outputs: { logits: { rule: "polygraphy", atol: 0.5, rtol: 1e-5 } } },
  });
  const after = await control.call("GET", "/deployments/policed/candidates/next");
  expect(after.body.run).toBeGreaterThan(before.body.run);
});

describe("what is wrong is named, and nothing is half registered", () => {
  const deployment = (over: object) => ({
    name: "wrong",
    primary: { url: primary.url },
    ...over,
  });
  test.each<[string, () => unknown, number, string, string[]]>([
    ["an unknown field", () => deployment({ sampelRate: 1 }), 400, "invalid_request", [""]],
    ["a name with markup", () => deployment({ name: "<script>" }), 400, "invalid_request", ["name"]],
    [
      "a rate that is no fraction",
      () => deployment({ sampleRate: 25 }),
      400,
      "invalid_request",
      ["sampleRate"],
    ],
    [
      "two faults",
      () => deployment({ sampleRate: -1, captureEnabled: "no" }),
      400,
      "invalid_request",
      ["sampleRate", "captureEnabled"],
    ],
    [
      "a URL of another kind",
      () => deployment({ primary: { url: "file:///etc" } }),
      400,
      "invalid_request",
      ["primary.url"],
    ],
    [
      "a URL with a password",
      () => deployment({ primary: { url: "http://me:pw@127.0.0.1" } }),
      400,
      "invalid_request",
      ["primary.url"],
    ],
    [
      "a policy with a typo",
      () => deployment({ policy: { outputs: { "*": { rule: "numpy", atoll: 1 } } } }),
      400,
      "invalid_request",
      ["policy.outputs.*"],
    ],
    [
      "NUL in a string",
      () => deployment({ primary: { url: primary.url, model: "a\0b" } }),
      400,
      "invalid_request",
      [],
    ],
    [
      "a secret that is not set",
      () => deployment({ primary: { url: primary.url, headers: { "x-key": "none" } } }),
      400,
      "invalid_request",
      ["headers"],
    ],
    [
      "a primary that is down",
      () => deployment({ primary: { url: "http://127.0.0.1:9" } }),
      422,
      "endpoint_unreachable",
      [],
    ],
    [
      "a metadata address",
      () => deployment({ primary: { url: "http://169.254.169.254" } }),
      422,
      "address_refused",
      [],
    ],
    [
      "a server that is not V2",
      () => deployment({ primary: { url: `${control.origin}/healthz` } }),
      422,
      "endpoint_not_v2",
      [],
    ],
    [
      "an unknown model",
      () => deployment({ primary: { url: primary.url, model: "unknown" } }),
      422,
      "endpoint_not_v2",
      [],
    ],
    ["no body", () => undefined, 400, "invalid_request", ["name", "primary"]],
    ["an array", () => [], 400, "invalid_request", [""]],
  ])("%s", async (_, body, status, code, paths) => {
    const answer = await control.call("POST", "/deployments", { body: body() });
    expect(answer.body).toMatchObject({ status, code, detail: expect.any(String) });
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect((answer.body.errors ?? []).map((fault: { path: string }) => fault.path)).toEqual(paths);
    expect((await control.call("GET", "/deployments/wrong")).status).toBe(404);
  });

  test.each([
    ["GET", "/deployments/none", 404, "not_found"],
    ["GET", "/deployments/%00", 400, "invalid_request"],
    ["GET", "/deployments/%E0%A4%A", 400, "invalid_request"],
    ["GET", "/nothing", 404, "not_found"],
    ["DELETE", "/deployments", 404, "not_found"],
    ["GET", "/deployments?limit=0", 400, "invalid_request"],
    ["GET", "/deployments?limit=1&limit=2", 400, "invalid_request"],
    ["GET", "/deployments?order=up", 400, "invalid_request"],
    ["GET", "/deployments?cursor=bm9uc2Vuc2U", 400, "invalid_request"],
  ])("%s %s: %i %s", async (method, path, status, code) => {
    const answer = await control.call(method, path);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test("malformed and oversized JSON", async () => {
    const malformed = await control.call("POST", "/deployments", { text: '{"name":' });
    expect([malformed.status, malformed.body.code]).toEqual([400, "invalid_request"]);
    const deep = await control.call("POST", "/deployments", { text: "[".repeat(500_000) });
    expect([deep.status, deep.body.code]).toEqual([400, "invalid_request"]);
    const nested = await control.call("POST", "/deployments", {
      text: `${"[".repeat(200_000)}${"]".repeat(200_000)}`,
    });
    expect([nested.status, nested.body.code]).toEqual([400, "invalid_request"]);
    const large = await control.call("POST", "/deployments", { body: { name: "x".repeat(2 * 1024 ** 2) } });
    expect([large.status, large.body.code]).toEqual([413, "invalid_request"]);
  });

  test("a name that is taken, and the model of another's primary: without asking the endpoint", async () => {
    const taken = { name: "taken", primary: { url: primary.url } };
    expect((await control.call("POST", "/deployments", { body: taken })).status).toBe(201);
    for (const [name, model] of [
      ["taken", "free"],
      ["free", "taken"],
    ]) {
      const body = { name, primary: { url: "http://127.0.0.1:9", model } };
      const again = await control.call("POST", "/deployments", { body });
      expect([again.status, again.body.code]).toEqual([409, "conflict"]);
      expect(again.body.detail).toContain('"taken"');
    }
  });

  test("two deployments cannot come to one model, at the same moment or by a change", async () => {
    const made = await Promise.all(
      ["left", "right"].map((name) =>
        control.call("POST", "/deployments", {
          body: { name, primary: { url: primary.url, model: "contested" } },
        }),
      ),
    );
    expect(made.map(({ status }) => status).sort()).toEqual([201, 409]);
    await control.call("POST", "/deployments", { body: { name: "mover", primary: { url: primary.url } } });
    const move = (model: string) =>
      control.call("PATCH", "/deployments/mover", { body: { primary: { url: primary.url, model } } });
    expect((await move("contested")).status).toBe(409);
    expect((await move("mover")).status).toBe(200);
  });
});

test("replicas of a primary are asked before they are kept, once each, and shown", async () => {
  const second = await openModelServer();
  const url = primary.url;
  const replicas = [`${second.url}/`, second.url, url];
  const created = await control.call("POST", "/deployments", {
    body: { name: "many", primary: { url, replicas } },
  });
  expect(created.status).toBe(201);
  expect(created.body.primary).toMatchObject({ url, replicas: [second.url] });
  expect((await control.call("GET", "/deployments/many")).body.primary.replicas).toEqual([second.url]);
  expect((await control.call("GET", "/deployments/digits")).body.primary.replicas).toEqual([]);
  await second.close();
  const refused = await control.call("PATCH", "/deployments/many", { body: { primary: { url, replicas } } });
  expect(refused.status).toBe(422);
  expect(refused.body.detail).toContain(second.url);
});
