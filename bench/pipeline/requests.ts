import type { Capture } from "../../src/capture/capture.js";
import { newId } from "../../src/ids.js";

export const modelName = "bench";

/** One in so many was answered otherwise by the primary than the candidate answers. */
export const differsEvery = 10;

const inputs = 64;
const outputs = 10;

/** Request bodies of about half a kilobyte: one FP32 input of 64 elements. */
export function requestOf(number: number): string {
  const data = Array.from({ length: inputs }, (_, i) => ((number + i) % 97) / 8);
  return JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, inputs], data }] });
}

/** An answer with ten FP32 scores; `shift` moves the first of them. */
export function answerOf(shift: number): string {
  const data = Array.from({ length: outputs }, (_, i) => (i === 0 ? shift : i / 16));
  return JSON.stringify({
    model_name: modelName,
    model_version: "1",
    outputs: [{ name: "y", datatype: "FP32", shape: [1, outputs], data }],
  });
}

export function capturesOf(deploymentId: number, count: number): Capture[] {
  const nowMs = Date.now();
  return Array.from({ length: count }, (_, number) => ({
    id: newId(nowMs),
    sequence: number,
    deploymentId,
    receivedAtMs: nowMs,
    transport: "http",
    method: "POST",
    path: `/v2/models/${modelName}/infer`,
    requestHeaders: { "content-type": "application/json" },
    requestBody: Buffer.from(requestOf(number)),
    status: 200,
    responseHeaders: { "content-type": "application/json" },
    responseBody: Buffer.from(answerOf(number % differsEvery === 0 ? 1 : 0)),
    primaryMs: 5,
    primaryVersion: "1",
    sample: "base",
    rule: "",
    sequencePlace: null,
    tags: {},
    redacted: [],
    subject: null,
  }));
}
