import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createApp } from "../../src/control/app.js";
import { createEventStreams } from "../../src/control/event-streams.js";
import { createMetrics } from "../../src/metrics.js";
import { createUpstream, type Upstream } from "../../src/upstream/client.js";
import { onServer } from "../support/postgres.js";
import { call, closed, listening, openControl, silent, type TestControl } from "./support.js";

let control: TestControl;
let server: Server;
let origin: string;
let webRoot: string;
let upstream: Upstream;
beforeAll(async () => {
  control = await openControl();
  webRoot = await mkdtemp(join(tmpdir(), "understudy-web-"));
  await mkdir(join(webRoot, "assets"));
  await writeFile(join(webRoot, "index.html"), "<!doctype html><title>Understudy</title>");
  await writeFile(join(webRoot, "assets/app-abc.js"), "export {};");
  await writeFile(join(webRoot, ".secret"), "hidden");
  upstream = createUpstream(control);
  server = createServer(
    createApp(
      { ...control, webhooks: {} as never, log: silent, upstream },
      createMetrics(),
      webRoot,
      createEventStreams(silent),
    ),
  );
  origin = await listening(server);
});
afterAll(async () => {
  await closed(server);
  await upstream.close();
  await control.close();
  await rm(webRoot, { recursive: true });
});

const get = (path: string, accept = "text/html") => call("GET", origin + path, { headers: { accept } });

test.each(["/", "/deployments/digits", "/comparisons/0190.1", "/alerts?state=firing", "/.secret"])(
  "%s is the page, never kept",
  async (path) => {
    const answer = await get(path);
    expect([answer.status, answer.body]).toEqual([200, "<!doctype html><title>Understudy</title>"]);
    expect(answer.headers["cache-control"]).toBe("no-cache");
  },
);

test("a file with its digest in its name is kept", async () => {
  const answer = await get("/assets/app-abc.js", "*/*");
  expect([answer.status, answer.body]).toEqual([200, "export {};"]);
  expect(answer.headers["cache-control"]).toMatch(/immutable/);
  expect(answer.headers["content-type"]).toMatch(/javascript/);
});

test.each([
  "/assets/gone.js",
  "/assets/../.secret",
  "/assets/%2e%2e/.secret",
  "/api/v1/none",
  "/api/v2/deployments",
])("%s is not the page", async (path) => {
  const answer = await get(path);
  if (answer.status === 200) expect(answer.body).not.toMatch(/hidden/);
  else expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
});

test("nothing but our own scripts, styles and requests may run in it", async () => {
  const { headers } = await get("/");
  expect(headers["content-security-policy"]).toMatch(/default-src 'none';script-src 'self'/);
  expect(headers["content-security-policy"]).not.toMatch(/unsafe|https?:|upgrade/);
  expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
  expect(headers["x-powered-by"]).toBeUndefined();
});

test("health, readiness, metrics", async () => {
  expect((await control.call("GET", "/healthz")).body).toEqual({ status: "ok" });
  expect((await control.call("GET", "/readyz")).body).toEqual({ status: "ready" });
  const metrics = await control.call("GET", "/metrics");
  expect(metrics.headers["content-type"]).toMatch(/^text\/plain/);
  expect(metrics.body).toMatch(/^understudy_work\{state="pending"\} 0$/m);
  expect(metrics.body).toMatch(/^understudy_alerts_firing 0$/m);
  expect(metrics.body).toMatch(/^process_cpu_seconds_total /m);
});

test("without a database it is healthy and not ready, and still has metrics", async () => {
  const lone = await openControl();
  const { url } = lone;
  await onServer(url.replace(/\/[^/]+$/, "/postgres"), async (client) => {
    await client.query(`DROP DATABASE "${new URL(url).pathname.slice(1)}" WITH (FORCE)`);
  });
  expect((await lone.call("GET", "/healthz")).status).toBe(200);
  const ready = await lone.call("GET", "/readyz");
  expect([ready.status, ready.body.code]).toEqual([503, "database_unreachable"]);
  const list = await lone.call("GET", "/deployments");
  expect([list.status, list.body.code]).toEqual([503, "database_unreachable"]);
  expect(JSON.stringify(list.body)).not.toMatch(/prisma|postgres:|invocation/i);
  const metrics = await lone.call("GET", "/metrics");
  expect(metrics.body).toMatch(/^process_cpu_seconds_total /m);
  expect(metrics.body).not.toMatch(/^understudy_work\{/m);
  await lone.close();
});
