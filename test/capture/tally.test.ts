import { expect, test } from "vitest";
import type { SeenSample } from "../../src/capture/record.js";
import { createRingMemory, createRingProducer } from "../../src/capture/ring.js";
import { createSequenceMemory, createSequenceWriter } from "../../src/capture/sequences.js";
import { createTally } from "../../src/capture/tally.js";

const nowMs = 1_700_000_000_000;

test.each<[SeenSample, { sampledOut: number; dropped: Record<string, number> }]>([
  ["base", { sampledOut: 0, dropped: { buffer_full: 1 } }],
  ["targeted", { sampledOut: 0, dropped: { buffer_full: 1 } }],
  ["left_out", { sampledOut: 1, dropped: {} }],
])("what finds no room is a loss of the sample only if it was drawn: %s", (sample, counts) => {
  const tally = createTally({
    ring: createRingProducer(createRingMemory(256)),
    sequences: createSequenceWriter(createSequenceMemory()),
    clock: () => nowMs,
  });
  const deployment = tally.open(1)!;
  const minute = tally.receive(deployment, nowMs);
  tally.handOver(
    minute,
    {
      deploymentId: 1,
      sequence: 0,
      receivedAtMs: nowMs,
      primaryMs: 1,
      status: 200,
      sample,
      rule: "",
      gaps: 0,
      method: "POST",
      path: "/v2/models/m/infer",
      requestHeaders: [],
      responseHeaders: [],
      requestChunks: [Buffer.alloc(300)],
      requestBytes: 300,
      responseChunks: [],
      responseBytes: 0,
    },
    null,
  );
  expect(minute).toMatchObject({ received: 1, inFlight: 0, ...counts });
  // Either way a sequence that was under way is not whole any more.
  expect(deployment.gaps).toBe(1);
});
