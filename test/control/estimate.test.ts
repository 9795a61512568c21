import { expect, test } from "vitest";
import { estimateOf } from "../../src/control/estimate.js";
import type { Traffic } from "../../src/store/traffic.js";
import type { Deployment } from "../../src/store/types.js";

const deployment = {
  sampleRate: 0.25,
  captureEnabled: false,
  capture: { targets: [], sequences: false, tags: [] },
} as unknown as Deployment;
const nowMs = Date.parse("2026-11-20T12:30:00Z");
const traffic = (over: Partial<Traffic>): Traffic => ({
  firstMs: nowMs - 6 * 3_600_000,
  requests: 1_000,
  requestBytes: 6_000,
  responseBytes: 2_000,
  storedShare: 0.5,
  ...over,
});

test.each([
  [
    "a quarter of a day, four times",
    traffic({}),
    { requestsPerDay: 4_000, bytesPerDay: 8_000, storedBytesPerDay: 4_000 },
  ],
  ["nothing stored yet", traffic({ storedShare: null }), { bytesPerDay: 8_000, storedBytesPerDay: null }],
  [
    "nothing received",
    traffic({ firstMs: null, requests: 0 }),
    { observedMs: 0, bytesPerDay: null, requestsPerDay: null },
  ],
  [
    "the first minute under way",
    traffic({ firstMs: nowMs }),
    { observedMs: 60_000, requestsPerDay: 1_440_000 },
  ],
])("%s", (_, seen, expected) => {
  expect(estimateOf(deployment, seen, nowMs)).toMatchObject(expected);
});
