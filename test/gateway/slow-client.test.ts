import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../../src/config.js";
import { createPrimaries } from "../../src/gateway/primaries.js";
import { createGatewayServer } from "../../src/gateway/server.js";
import { createRouteStats } from "../../src/gateway/stats.js";
import { createLogger } from "../../src/log.js";
import { listen } from "../../src/process/listen.js";
import { echoModel, startUpstream, type TestUpstream } from "./upstream.js";
import { openRaw, send } from "./wire.js";

let upstream: TestUpstream;
const limits = { ...loadConfig({}).gateway, headMs: 300, requestMs: 300 };
const primaries = createPrimaries({ limits, log: createLogger({ logLevel: "fatal" }, "gateway") });
let server: ReturnType<typeof createGatewayServer>;
let port: number;

beforeAll(async () => {
  upstream = await startUpstream(echoModel);
  server = createGatewayServer({
    state: {
      routes: { byModel: new Map(), fallback: primaries.group([upstream.url]) },
      inFlight: 0,
      closing: false,
    },
    budget: { bodyBytesMax: 1, heldBytesMax: 1, heldBytes: 0 },
    otherStats: createRouteStats(""),
    random: Math.random,
    limits,
  });
  port = await listen(server.socket, { host: "127.0.0.1", port: 0, what: "test", setting: "none" });
});
afterAll(async () => {
  await server.close(100);
  await primaries.close();
  await upstream.close();
});

test.each([
  ["its head", "GET /v2/slow HTTP/1.1\r\nHost: h\r\nX-A: "],
  ["its body", "POST /v2/slow HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nslow"],
])("a client that does not finish %s is answered 408, and holds up no other", async (_, beginning) => {
  const raw = await openRaw(port, beginning);
  const other = await send(port, { method: "POST", path: "/v2/models/m/infer", body: "{}" });
  expect(other.status).toBe(200);
  await raw.closed;
  expect(raw.received()).toMatch(/^HTTP\/1.1 408 /);
  expect(upstream.seen.some(({ url }) => url === "/v2/slow")).toBe(false);
});
