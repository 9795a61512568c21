import { createHash, randomBytes } from "node:crypto";
import { Agent, request as httpRequest, type ServerResponse } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/product.js";
import { bodyOf } from "./upstream.js";
import { openRaw, send } from "./wire.js";
import { type GatewayWorld, openGatewayWorld } from "./world.js";

let world: GatewayWorld;
const held: ServerResponse[] = [];
/** More than fits into one write, less than the kernel and the gateway take for a client that does not read. */
const largeBytes = 3_000_000;
const large: ServerResponse[] = [];
beforeAll(async () => {
  world = await openGatewayWorld({
    deployments: { sizes: {}, crowd: {}, waiting: {}, hasty: {}, endless: {} },
    async primary(request, response) {
      if (request.url!.includes("endless")) {
        response.write("begun");
        request.on("error", () => {});
        return;
      }
      if (request.url!.includes("hasty")) {
        response.end("hasty");
        request.resume().on("error", () => {});
        return;
      }
      if (request.url === "/v2/large") {
        large.push(response);
        response.setHeader("Content-Length", largeBytes);
        response.end(Buffer.alloc(largeBytes, "l"));
        return;
      }
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
    // From what is copied, over what lies in slabs, to what no slab holds.
    const values = 16 * kib + index * 9_973;
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

/** Sends requests on one connection, each when the one before was answered. */
async function onOneConnection(bodies: Buffer[]): Promise<string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  const answers: string[] = [];
  for (const body of bodies) {
    answers.push(
      await new Promise<string>((resolve, reject) => {
        const path = "/v2/models/sizes/infer";
        const options = { host: "127.0.0.1", port: world.gateway.port, method: "POST", path, agent };
        const request = httpRequest(options, async (response) => {
          sockets.add(response.socket);
          resolve((await bodyOf(response)).toString());
        });
        request.once("error", reject);
        request.end(body);
      }),
    );
  }
  agent.destroy();
  expect(sockets.size).toBe(1);
  return answers;
}

test("bodies of all sizes follow one another on one connection", async () => {
  const sizes = [600_000, 10, 600_000, 70_000, 5_000_000, 70_000, 4 * mib, 64 * kib, 1];
  const bodies = sizes.map((bytes) => randomBytes(bytes));
  expect(await onOneConnection(bodies)).toEqual(hashes(bodies));
});

test("bodies whose beginnings were sent ahead arrive as they were sent", async () => {
  const bodies = [200_000, 300_000, 70_000, 100, 2_000_000].map((bytes) => randomBytes(bytes));
  const head = (body: Buffer) =>
    Buffer.from(`POST /v2/models/sizes/infer HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`);
  const client = await openRaw(
    world.gateway.port,
    Buffer.concat(bodies.flatMap((body) => [head(body), body])),
  );
  const answered = await eventually(
    async () => client.received().match(/[0-9a-f]{40}/g) ?? [],
    (found) => found.length === bodies.length,
    { withinMs: 20_000, everyMs: 10 },
  );
  expect(answered).toEqual(hashes(bodies));
  client.socket.destroy();
});

test("what comes of a body after its answer is read and thrown away, and the next request is answered", async () => {
  const client = await openRaw(
    world.gateway.port,
    "POST /v2/models/hasty/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 600000\r\n\r\nfirst",
  );
  await eventually(
    async () => client.received(),
    (text) => text.includes("hasty"),
    { everyMs: 5 },
  );
  for (let sent = 5; sent < 600_000; sent += 119_999) client.socket.write(Buffer.alloc(119_999, "r"));
  client.socket.write("POST /v2/models/sizes/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
  await eventually(
    async () => client.received(),
    (text) => text.includes(hashOf(Buffer.from("ok"))),
    { everyMs: 5 },
  );
  client.socket.destroy();
  // What is captured is the whole of it, which is no inference.
  expect(await world.settled("hasty", 1)).toMatchObject({ dropped: {}, notEligible: { parse: 1 } });
});

test("a body that turns out malformed once its answer has begun ends the connection", async () => {
  const client = await openRaw(
    world.gateway.port,
    "POST /v2/models/endless/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
  );
  await eventually(
    async () => client.received(),
    (text) => text.includes("begun"),
    { everyMs: 5 },
  );
  client.socket.write("no chunk\r\n");
  await client.closed;
  expect(client.received().match(/HTTP\/1\.1 /g)).toHaveLength(1);
  expect(await world.settled("endless", 1)).toMatchObject({ dropped: { client_abort: 1 } });
});

test("a client that sends no more gets the answer that is on its way to it", async () => {
  const client = await openRaw(world.gateway.port, "GET /v2/large HTTP/1.1\r\nHost: h\r\n\r\n");
  client.socket.pause();
  await eventually(
    async () => large.every(({ writableFinished }) => writableFinished) && large.length,
    (count) => count === 1,
    { everyMs: 20 },
  );
  client.socket.end();
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.socket.resume();
  await client.closed;
  expect(client.received().split("\r\n\r\n")[1]!.length).toBe(largeBytes);
});

test("HEAD is answered by a head alone, and the next answer begins where it ends", async () => {
  const ask = (path: string) =>
    openRaw(
      world.gateway.port,
      `HEAD ${path} HTTP/1.1\r\nHost: h\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
    );
  for (const [path, status] of [
    ["/healthz", 200],
    ["*", 400],
  ] as const) {
    const client = await ask(path);
    await client.closed;
    const [head, next] = client.received().split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*Content-Length: [1-9]`));
    expect(next).toMatch(/^HTTP\/1\.1 200 OK/);
  }
});

test("CONNECT makes no tunnel", async () => {
  const client = await openRaw(world.gateway.port, "CONNECT /v2/x HTTP/1.1\r\nHost: h\r\n\r\n");
  await client.closed;
  expect(client.received()).toMatch(/^HTTP\/1\.1 501 /);
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
