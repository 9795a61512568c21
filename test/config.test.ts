import { expect, test } from "vitest";
import { loadConfig } from "../src/config.js";
import { createGatewayServer } from "../src/gateway/server.js";
import { createRouteStats } from "../src/gateway/stats.js";

test.each([
  ["a body that no buffer holds", { UNDERSTUDY_BODY_BYTES_MAX: "16777217" }],
  ["a buffer that holds no such body", { UNDERSTUDY_BUFFER_BYTES: "67108863" }],
])("%s is said at the start", (_, environment) => {
  const load = () => loadConfig(environment);
  expect(load).toThrow("UNDERSTUDY_BODY_BYTES_MAX must be at most a quarter of UNDERSTUDY_BUFFER_BYTES");
  expect(loadConfig({ ...environment, UNDERSTUDY_BUFFER_BYTES: "67108868" }).bodyBytesMax).toBeGreaterThan(0);
});

test("a request's time is its head's too, so that a server with less than the head's default can be made", () => {
  const { gateway } = loadConfig({ UNDERSTUDY_GATEWAY_REQUEST_MS: "10000" });
  expect([gateway.headMs, gateway.requestMs]).toEqual([10_000, 10_000]);
  const server = createGatewayServer({
    state: { routes: null, inFlight: 0, closing: false },
    budget: { bodyBytesMax: 0, heldBytesMax: 0, heldBytes: 0 },
    otherStats: createRouteStats(""),
    random: Math.random,
    limits: gateway,
  });
  expect(server.headersTimeout).toBe(10_000);
});
