import { expect, test } from "vitest";
import { loadConfig } from "../src/config.js";

test.each([
  ["a body that no buffer holds", { UNDERSTUDY_BODY_BYTES_MAX: "16777217" }],
  ["a buffer that holds no such body", { UNDERSTUDY_BUFFER_BYTES: "67108863" }],
])("%s is said at the start", (_, environment) => {
  const load = () => loadConfig(environment);
  expect(load).toThrow("UNDERSTUDY_BODY_BYTES_MAX must be at most a quarter of UNDERSTUDY_BUFFER_BYTES");
  expect(loadConfig({ ...environment, UNDERSTUDY_BUFFER_BYTES: "67108868" }).bodyBytesMax).toBeGreaterThan(0);
});

test("a request's time is its head's too, where it is less than the head's own", () => {
  const { gateway } = loadConfig({ UNDERSTUDY_GATEWAY_REQUEST_MS: "10000" });
  expect([gateway.headMs, gateway.requestMs]).toEqual([10_000, 10_000]);
});
