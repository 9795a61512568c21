import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { Pool } from "undici";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import { digitsDir } from "../paths.js";
import type { Service } from "../process/service.js";
import { encodeInferRequest } from "../protocol/infer.js";

const pixelsPerDigit = 64;
/** 64 pixels and a label, one byte each: see examples/digits/README.md. */
const bytesPerDigit = pixelsPerDigit + 1;

/** The 1,797 handwritten digits, each as the FP32 bytes of one image. */
export async function loadDigits(): Promise<Uint8Array[]> {
  const file = await readFile(join(digitsDir, "digits.bin"));
  return Array.from({ length: file.length / bytesPerDigit }, (_, i) => {
    const pixels = file.subarray(i * bytesPerDigit, i * bytesPerDigit + pixelsPerDigit);
    return new Uint8Array(Float32Array.from(pixels).buffer);
  });
}

/** Sends one digit after the other to the gateway at a steady pace; every other request in the binary form. */
async function sendDigits(
  gatewayUrl: string,
  ratePerSecond: number,
  log: Logger,
): Promise<() => Promise<void>> {
  const digits = await loadDigits();
  const pool = new Pool(new URL(gatewayUrl).origin, {
    connections: 4,
    bodyTimeout: 10_000,
    headersTimeout: 10_000,
  });
  let sent = 0;
  let failing = false;

  async function send(index: number): Promise<void> {
    const image = {
      name: "image",
      datatype: "FP32" as const,
      shape: [1, 1, 8, 8],
      data: digits[index % digits.length]!,
    };
    const { body, headerLength } = encodeInferRequest(
      { parameters: {}, inputs: [{ ...image, parameters: {} }], outputs: [] },
      { binary: index % 2 === 1 },
    );
    const response = await pool.request({
      method: "POST",
      path: "/v2/models/digits/infer",
      headers: {
        "x-request-id": `demo-${index}`,
        ...(headerLength === null
          ? { "content-type": "application/json" }
          : {
              "content-type": "application/octet-stream",
              "inference-header-content-length": String(headerLength),
            }),
      },
      body,
    });
    await response.body.dump();
    if (response.statusCode !== 200) throw new Error(`the gateway answered ${response.statusCode}`);
  }

  const startedAt = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * ratePerSecond);
    for (; sent < due; sent += 1) {
      send(sent).then(
        () => {
          failing = false;
        },
        (error) => {
          if (!failing) log.warn({ error: messageOf(error) }, "the demo's requests fail");
          failing = true;
        },
      );
    }
  }, 1_000 / ratePerSecond);
  return async () => {
    clearInterval(timer);
    await pool.close();
  };
}

/** Shows, on stderr and at `GET /`, the webhooks that arrive. */
async function receiveWebhooks(port: number): Promise<() => Promise<void>> {
  const shown = 100;
  const received: unknown[] = [];
  const server = createServer(async (request, response) => {
    if (request.method !== "POST") {
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ items: received }));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const message = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
    received.push(message);
    received.splice(0, received.length - shown);
    process.stderr.write(`webhook received: ${JSON.stringify(message)}\n`);
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

/** The demo's clients: those who ask the model, and the one whom alerts are sent to. */
export async function startDemoTraffic(deps: {
  gatewayUrl: string;
  ratePerSecond: number;
  webhookPort: number;
  log: Logger;
}): Promise<Service> {
  const stopReceiving = await receiveWebhooks(deps.webhookPort);
  const stopSending = await sendDigits(deps.gatewayUrl, deps.ratePerSecond, deps.log);
  return {
    ready: { webhook: `http://127.0.0.1:${deps.webhookPort}/` },
    async close() {
      await stopSending();
      await stopReceiving();
    },
  };
}
