import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/product.js";
import { openRaw } from "./wire.js";
import { type GatewayWorld, openGatewayWorld } from "./world.js";

let world: GatewayWorld;
const held: ServerResponse[] = [];
beforeAll(async () => {
  world = await openGatewayWorld({
    deployments: { piped: {}, flood: {}, early: {}, patient: {}, cut: {} },
    primary(request, response) {
      request.resume();
      held.push(response);
    },
    env: { UNDERSTUDY_GATEWAY_DRAIN_MS: "300" },
  });
});
afterAll(() => world?.close());

const infer = (model: string, length: number) =>
  `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n`;
const one = `${infer("piped", 2)}{}`;

test("requests that were sent ahead have their turn; those of a client that left leave no trace", async () => {
  const leaver = await openRaw(world.gateway.port, one.repeat(5));
  await eventually(
    async () => held.length,
    (count) => count > 0,
    { everyMs: 5 },
  );
  leaver.socket.destroy();
  const stayer = await openRaw(world.gateway.port, one.repeat(3));
  for (let answered = 1; answered < 4; answered++) {
    await eventually(
      async () => held.length,
      (count) => count > answered,
      { everyMs: 5 },
    );
    expect(held.length).toBe(answered + 1);
    held[answered]!.end(`answer ${answered}`);
  }
  await eventually(
    async () => stayer.received(),
    (text) => text.includes("answer 3"),
    { everyMs: 5 },
  );
  stayer.socket.destroy();
  expect(stayer.received().match(/answer \d/g)).toEqual(["answer 1", "answer 2", "answer 3"]);
  expect(await world.settled("piped", 4)).toMatchObject({ dropped: { client_abort: 1 }, balanced: true });
});

test("a client may send any number of requests ahead; beyond 64 KiB they wait where they are, not in memory", async () => {
  const before = held.length;
  const request = `${infer("flood", 2)}{}`;
  const asked = 3_000;
  const flooder = await openRaw(world.gateway.port, request.repeat(asked));
  let sentBytes = asked * request.length;
  // What the kernel takes for both ends is a few megabytes at most; the rest waits with the client.
  const more = request.repeat(20_000);
  while (flooder.socket.writableLength === 0 && sentBytes < 100_000_000) {
    flooder.socket.write(more);
    sentBytes += more.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(sentBytes).toBeLessThan(100_000_000);
  for (let answered = 0; answered < asked; answered++) {
    await eventually(
      async () => held.length - before,
      (arrived) => arrived > answered,
      { everyMs: 1 },
    );
    expect(held.length - before).toBe(answered + 1);
    held[before + answered]!.end(`answer ${answered}.`);
  }
  await eventually(
    async () => flooder.received(),
    (text) => text.includes(`answer ${asked - 1}.`),
    { everyMs: 5 },
  );
  expect(flooder.received().match(/answer \d+\./g)).toEqual(
    Array.from({ length: asked }, (_, index) => `answer ${index}.`),
  );
  flooder.socket.destroy();
  // That it left is noticed at the next answers: it could not be read on. What it asked for beyond is asked of nobody.
  const answering = setInterval(() => {
    for (const response of held.slice(before + asked)) if (!response.writableEnded) response.end("too late");
  }, 5);
  const ledger = await eventually(
    () => world.ledgerOf("flood"),
    ({ received, inFlight, buffered }) => received > asked && inFlight + buffered === 0,
    { withinMs: 15_000, everyMs: 50 },
  );
  clearInterval(answering);
  expect(ledger).toMatchObject({ dropped: { client_abort: 1 }, balanced: true });
  expect(ledger.received).toBeLessThan(asked + 10);
}, 60_000);

/** A client that has sent half of its request and got the whole answer. */
async function answeredEarly(model: string) {
  const before = held.length;
  const head = `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const client = await openRaw(world.gateway.port, `${head}2\r\n{}\r\n`);
  await eventually(
    async () => held.length - before,
    (count) => count === 1,
    { everyMs: 5 },
  );
  held[before]!.writeHead(400).end("too early");
  await eventually(
    async () => client.received(),
    (text) => text.includes("too early"),
    { everyMs: 5 },
  );
  return client;
}

test("half a request, answered before the rest was sent, is no capture if the rest never comes", async () => {
  const client = await answeredEarly("early");
  client.socket.destroy();
  expect(await world.settled("early", 1)).toMatchObject({ captured: 0, dropped: { early_answer: 1 } });
});

test("a request that was answered before its end is seen whole once the end has come", async () => {
  const client = await answeredEarly("patient");
  client.socket.write("1\r\n \r\n0\r\n\r\n");
  // `{} ` is no inference, which only the capture side can say, and only of what was handed over.
  expect(await world.settled("patient", 1)).toMatchObject({ dropped: {}, notEligible: { parse: 1 } });
  client.socket.destroy();
});

test("what the end cuts off is counted before the epoch is closed", async () => {
  const before = held.length;
  const clients = await Promise.all(
    Array.from({ length: 5 }, () => openRaw(world.gateway.port, `${infer("cut", 2)}{}`)),
  );
  await eventually(
    async () => held.length - before,
    (count) => count === clients.length,
    { everyMs: 5 },
  );
  await world.gateway.close();
  await Promise.all(clients.map(({ closed }) => closed));
  expect(await world.ledgerOf("cut")).toMatchObject({
    received: 5,
    inFlight: 0,
    dropped: { client_abort: 5 },
    balanced: true,
  });
});
