import { createHash, randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/product.js";
import { bodyOf } from "./upstream.js";
import { openRaw, send } from "./wire.js";
import { type GatewayWorld, openGatewayWorld } from "./world.js";

let world: GatewayWorld;
const held: ServerResponse[] = [];
beforeAll(async () => {
  world = await openGatewayWorld({
    deployments: { sizes: {}, crowd: {}, waiting: {} },
    async primary(request, response) {
      const body = await bodyOf(request).catch(() => null);
      if (body === null) return;
      if (request.url!.includes("waiting")) held.push(response);
      else response.end(createHash("sha1").update(body).digest("hex"));
    },
  });
});
afterAll(() => world?.close());

const hashOf = (bytes: Buffer) => createHash("sha1").update(bytes).digest("hex");
const hashes = (bodies: Buffer[]) => bodies.map(hashOf);

const kib = 1024;
const mib = 1024 ** 2;

test.each([
  1,
  4 * kib,
  4 * kib + 1,
  64 * kib - 1,
  64 * kib,
  64 * kib + 1,
  600_000,
  4 * mib,
  4 * mib + 1,
  9_000_000,
])("a body of %d bytes arrives as it was sent, whether it is read whole or in parts", async (bytes) => {
  const body = randomBytes(bytes);
  const answer = await world.post("sizes", body);
  expect(answer.body.toString()).toBe(hashOf(body));
});

test("bodies that share memory one after another, and many at a time, are never mixed up, nor are their captures", async () => {
  const tensor = (index: number) => {
    const values = 16 * kib + index * 997;
    const json = Buffer.from(
      JSON.stringify({
        inputs: [{ name: "x", datatype: "UINT8", shape: [values], parameters: { binary_data_size: values } }],
      }),
    );
    return { json, body: Buffer.concat([json, randomBytes(values)]) };
  };
  const requests = Array.from({ length: 120 }, (_, index) => tensor(index));
  const queue = [...requests];
  const answers = new Map<(typeof requests)[number], string>();
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      for (let request = queue.shift(); request !== undefined; request = queue.shift()) {
        const length = String(request.json.length);
        const answer = await world.post("crowd", request.body, { "Inference-Header-Content-Length": length });
        answers.set(request, answer.body.toString());
      }
    }),
  );
  expect(requests.map((request) => answers.get(request))).toEqual(hashes(requests.map(({ body }) => body)));
  expect(await world.settled("crowd", requests.length)).toMatchObject({ captured: requests.length });
  const captured = (await world.capturesOf("crowd")).map(({ requestBody }) =>
    hashOf(Buffer.from(requestBody!)),
  );
  expect(captured.sort()).toEqual(hashes(requests.map(({ body }) => body)).sort());
});

test("a client that has sent its last and asks to close gets its answer before the end", async () => {
  const text =
    "POST /v2/models/waiting/infer HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
  const client = await openRaw(world.gateway.port, text);
  await eventually(
    async () => held.length,
    (count) => count === 1,
    { everyMs: 5 },
  );
  held.shift()!.end("an answer");
  await client.closed;
  expect(client.received()).toMatch(
    /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nConnection: close\r\n[\s\S]*an answer$/,
  );
});

test("what is behind a request that asks to close is not taken for another", async () => {
  const text = `GET /v2/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /v2/y HTTP/1.1\r\nHost: h\r\n\r\n`;
  const client = await openRaw(world.gateway.port, text);
  await client.closed;
  expect(client.received().match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
});

test("a client of HTTP/1.0 is told its answer's end as it can understand it", async () => {
  const ask = (connection: string) => openRaw(world.gateway.port, `GET /v2/x HTTP/1.0\r\n${connection}\r\n`);
  const once = await ask("");
  await once.closed;
  expect(once.received()).toContain("\r\nConnection: close\r\n");
  const kept = await ask("Connection: keep-alive\r\n");
  await eventually(
    async () => kept.received(),
    (text) => text.includes("\r\n\r\n"),
    { everyMs: 5 },
  );
  expect(kept.received()).toContain("\r\nConnection: keep-alive\r\n");
  kept.socket.destroy();
});

test("a request that is refused says why, in V2's form", async () => {
  const client = await openRaw(world.gateway.port, "GET / HTTP/1.1\r\n\r\n");
  await client.closed;
  const [head, body] = client.received().split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(JSON.parse(body!)).toEqual({ error: "the request has no Host" });
  expect((await send(world.gateway.port, { path: "/healthz" })).status).toBe(200);
});
