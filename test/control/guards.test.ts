import { afterAll, beforeAll, expect, test } from "vitest";
import { call, openControl, type TestControl } from "./support.js";

let control: TestControl;
beforeAll(async () => {
  control = await openControl();
});
afterAll(() => control.close());

const rule = { deployment: "none", threshold: 0.1 };
const own = () => control.origin;

test.each<[string, () => Record<string, string>, number, string]>([
  ["a program", () => ({}), 404, "not_found"],
  ["the page itself", () => ({ origin: own(), "sec-fetch-site": "same-origin" }), 404, "not_found"],
  ["a person at the address bar", () => ({ "sec-fetch-site": "none" }), 404, "not_found"],
  [
    "another site",
    () => ({ origin: "https://evil.example", "sec-fetch-site": "cross-site" }),
    403,
    "cross_site",
  ],
  ["another site, an old browser", () => ({ origin: "https://evil.example" }), 403, "cross_site"],
  [
    "another port of this host",
    () => ({ origin: "http://127.0.0.1:1", "sec-fetch-site": "same-site" }),
    403,
    "cross_site",
  ],
  ["another port, an old browser", () => ({ origin: "http://127.0.0.1:1" }), 403, "cross_site"],
  ["a sandboxed frame", () => ({ origin: "null" }), 403, "cross_site"],
  [
    "an origin that lies, against the browser",
    () => ({ origin: own(), "sec-fetch-site": "cross-site" }),
    403,
    "cross_site",
  ],
  ["a form", () => ({ "content-type": "text/plain" }), 400, "invalid_request"],
  ["no content type", () => ({ "content-type": "" }), 400, "invalid_request"],
])("a POST of %s", async (_, headers, status, code) => {
  const answer = await control.call("POST", "/alert-rules", { body: rule, headers: headers() });
  expect([answer.status, answer.body.code]).toEqual([status, code]);
});

test.each(["PUT", "PATCH", "DELETE"])("a cross-site %s is refused like a POST", async (method) => {
  const answer = await control.call(method, "/alert-rules/1", {
    headers: { origin: "https://evil.example" },
  });
  expect([answer.status, answer.body.code]).toEqual([403, "cross_site"]);
});

test("a cross-site GET is answered, but not to the site: no CORS header", async () => {
  const answer = await control.call("GET", "/deployments", { headers: { origin: "https://evil.example" } });
  expect(answer.status).toBe(200);
  expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
});

test.each([
  ["127.0.0.1", 200],
  ["127.0.0.1:8080", 200],
  ["localhost:8080", 200],
  ["[::1]:8080", 200],
  ["evil.example", 403],
  ["evil.example:8080", 403],
  ["127.0.0.1.evil.example", 403],
  ["127.evil.example", 403],
  ["10.0.0.1", 403],
])("bound to loopback, Host %s: %i", async (host, status) => {
  for (const path of ["/api/v1/deployments", "/metrics", "/healthz"]) {
    expect((await call("GET", control.origin + path, { headers: { host } })).status).toBe(status);
  }
});

test("bound to all addresses, any name is ours", async () => {
  const open = await openControl({ host: "0.0.0.0" });
  const answer = await open.call("GET", "/deployments", { headers: { host: "understudy.example" } });
  await open.close();
  expect(answer.status).toBe(200);
});
