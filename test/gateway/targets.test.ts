import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CaptureSettings } from "../../src/capture/settings.js";
import { bodyOf, echoModel, inferRequest } from "./upstream.js";
import { type GatewayWorld, openGatewayWorld } from "./world.js";

const bodyBytesMax = 50_000;
const errors = { name: "all-errors", when: { status: "errors" as const } };
const slow = { name: "slow", when: { slowerThanMs: 200 } };
const debug = { name: "debugged", when: { header: { name: "x-debug", equals: "yes" } } };
const both = { name: "slow-errors", when: { status: [503], slowerThanMs: 200 } };

const targeted = (...targets: CaptureSettings["targets"]) => ({ sampleRate: 0, capture: { targets } });

let world: GatewayWorld;
beforeAll(async () => {
  world = await openGatewayWorld({
    env: { UNDERSTUDY_BODY_BYTES_MAX: String(bodyBytesMax) },
    deployments: {
      errors: targeted(errors),
      slow: targeted(slow),
      debug: targeted(debug),
      both: targeted(both),
      order: targeted({ ...errors, share: 1e-9 }, { ...errors, name: "rest" }),
      large: targeted(errors),
      resets: targeted(errors),
      base: { sampleRate: 1, capture: { targets: [errors], tags: ["x-tenant"] } },
      plain: targeted(),
    },
    primary: (request, response) => {
      if (request.url!.includes("/resets/")) return void request.socket.resetAndDestroy();
      const status = Number(request.headers["x-status"] ?? 200);
      const waitMs = Number(request.headers["x-wait-ms"] ?? 0);
      setTimeout(() => {
        if (status === 200) return echoModel(request, response);
        void bodyOf(request).then(() => {
          response.writeHead(status, { "content-type": "application/json" });
          response.end('{"error":"no"}');
        });
      }, waitMs);
    },
  });
});
afterAll(() => world?.close());

test.each([
  ["errors", { "x-status": "500" }, "all-errors"],
  ["errors", { "x-status": "404" }, "all-errors"],
  ["slow", { "x-wait-ms": "300" }, "slow"],
  ["debug", { "X-Debug": "yes" }, "debugged"],
  ["both", { "x-status": "503", "x-wait-ms": "300" }, "slow-errors"],
  ["order", { "x-status": "500" }, "rest"],
])("%s with %o is captured by %s; other requests are not", async (model, headers, rule) => {
  const before = (await world.ledgerOf(model)).received;
  const others: Record<string, string>[] = [{}, { "x-debug": "no" }, { "x-other": "yes" }];
  // Of rules with several conditions all must hold.
  if (model === "both") others.push({ "x-status": "503" }, { "x-status": "500", "x-wait-ms": "300" });
  for (const other of others) await world.post(model, inferRequest(), other);
  await world.post(model, inferRequest([7]), headers);
  const ledger = await world.settled(model, before + others.length + 1);
  expect(ledger).toMatchObject({ balanced: true, dropped: {}, notEligible: {} });
  const captures = await world.capturesOf(model);
  expect(ledger.captured).toBe(captures.length);
  expect(ledger.sampledOut).toBe(ledger.received - captures.length);
  expect(captures.at(-1)).toMatchObject({ sample: "targeted", rule });
  expect(Buffer.from(captures.at(-1)!.requestBody).toString()).toBe(inferRequest([7]));
});

test("what the coin chose is in the base sample, although a rule matches too; its tags are kept", async () => {
  await world.post("base", inferRequest(), {
    "x-status": "500",
    "X-Tenant": "acme",
    "x-request-id": "r".repeat(1000),
    "x-other": "1",
  });
  await world.settled("base", 1);
  const [capture] = await world.capturesOf("base");
  expect(capture).toMatchObject({ sample: "base", rule: "" });
  expect(capture!.tags).toEqual({ "x-request-id": "r".repeat(256), "x-tenant": "acme" });
  expect(capture!.requestHeaders).not.toHaveProperty("x-tenant");
});

test("a body over the limit: a drop if a rule wants it, else sampled out", async () => {
  const large = randomBytes(bodyBytesMax + 1);
  await world.post("large", large, { "x-status": "500" });
  await world.post("large", large, { "x-status": "500", "Transfer-Encoding": "chunked" });
  await world.post("large", large);
  expect(await world.settled("large", 3)).toMatchObject({
    captured: 0,
    dropped: { too_large: 2 },
    sampledOut: 1,
    balanced: true,
  });
});

test("a primary that gives no answer is an error that could not be captured", async () => {
  expect((await world.post("resets", inferRequest())).status).toBe(502);
  expect(await world.settled("resets", 1)).toMatchObject({ dropped: { primary_failed: 1 }, balanced: true });
});

test("without rules nothing outside the base sample is captured", async () => {
  await world.post("plain", inferRequest(), { "x-status": "500" });
  expect(await world.settled("plain", 1)).toMatchObject({ captured: 0, sampledOut: 1, balanced: true });
});
