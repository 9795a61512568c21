import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHttpServer, type HttpServer } from "../../src/http1/server.js";
import type { RequestHandler, ServerConnection } from "../../src/http1/server-connection.js";
import { openRaw } from "../gateway/wire.js";
import { eventually } from "../support/product.js";

const bytes = 600_000;
const head = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${bytes}\r\n\r\n`;

let server: HttpServer;
let port: number;
/** What was told of the memory that a body was read into, and of its request, in order. */
let told: string[];
/** The connection of the request that was made last. */
let newest: ServerConnection;
let answersAt: "start" | "never" | "end";

/** Lends memory for each body, keeps what comes, and answers when it is told to. */
function handlerOf(client: ServerConnection): RequestHandler {
  newest = client;
  const memory = Buffer.alloc(bytes);
  let received = 0;
  const answer = () => {
    client.begin(
      { status: 200, statusText: "OK", headers: ["Content-Length", "2"], body: "length", contentLength: 2 },
      true,
    );
    client.write(Buffer.from("ok"));
    client.end([]);
  };
  return {
    start() {
      if (answersAt === "start") answer();
    },
    bodyMemory() {
      told.push("lent");
      return { bytes: memory, giveBack: () => told.push("given back") };
    },
    onRequestPart(part) {
      expect(part.buffer).toBe(memory.buffer);
      expect(part.byteOffset).toBe(memory.byteOffset + received);
      received += part.length;
      return true;
    },
    onRequestEnd() {
      told.push(`all ${received}`);
      if (answersAt === "end") answer();
    },
    onClientDrain() {},
    onAnswered: () => told.push("answered"),
    onOver: (isComplete) => told.push(isComplete ? "over" : "cut off"),
  };
}

beforeEach(async () => {
  told = [];
  answersAt = "end";
  server = createHttpServer({
    limits: {
      headBytesMax: 1_000,
      headMs: 60_000,
      requestMs: 400,
      keepAliveMs: 60_000,
      clientSilenceMs: 60_000,
      connectionsMax: 10,
    },
    handle: (_, client) => handlerOf(client),
    onRefused: (status) => told.push(`refused ${status}`),
  });
  await new Promise<void>((resolve) => server.socket.listen(0, "127.0.0.1", resolve));
  port = (server.socket.address() as AddressInfo).port;
});
afterEach(() => server.close(0));

const toldInTheEnd = (last: string) =>
  eventually(
    async () => told,
    (list) => list.at(-1) === last,
    { everyMs: 5, withinMs: 10_000 },
  );

describe("memory that was lent for a body is given back once, when nobody reads into it any more", () => {
  test("after its answer", async () => {
    const client = await openRaw(port, head);
    client.socket.write(Buffer.alloc(bytes));
    expect(await toldInTheEnd("given back")).toEqual([
      ...["lent", `all ${bytes}`, "answered", "over", "given back"],
    ]);
    client.socket.write(head);
    client.socket.write(Buffer.alloc(bytes));
    await eventually(
      async () => told.length,
      (count) => count === 10,
    );
    client.socket.destroy();
  });

  test("when its client leaves in the middle", async () => {
    const client = await openRaw(port, `${head}half`);
    await toldInTheEnd("lent");
    client.socket.destroy();
    expect(await toldInTheEnd("given back")).toEqual(["lent", "cut off", "given back"]);
  });

  test("when it does not come in time", async () => {
    const client = await openRaw(port, `${head}half`);
    // It goes on sending, into memory that is therefore still lent.
    const sending = setInterval(() => client.socket.write("more"), 1);
    await client.closed;
    clearInterval(sending);
    expect(client.received()).toMatch(/^HTTP\/1\.1 408 /);
    expect(await toldInTheEnd("given back")).toEqual(["lent", "cut off", "given back"]);
  });

  test("when it was answered before its end, and the rest came", async () => {
    answersAt = "start";
    const client = await openRaw(port, `${head}half`);
    await toldInTheEnd("answered");
    client.socket.write(Buffer.alloc(bytes - 4));
    expect(await toldInTheEnd("given back")).toEqual([
      ...["lent", "answered", `all ${bytes}`, "over", "given back"],
    ]);
    client.socket.destroy();
  });

  test("when it was answered before its end, and the connection was to end with that", async () => {
    answersAt = "start";
    const client = await openRaw(port, head.replace("Host", "Connection: close\r\nHost"));
    client.socket.write("half");
    await client.closed;
    expect(client.received()).toMatch(/^HTTP\/1\.1 200 /);
    // Whether a part came before the answer had gone out is the kernel's doing.
    const times = (what: string) => told.filter((one) => one === what).length;
    await eventually(
      async () => told,
      () => times("cut off") === 1 && times("lent") === times("given back"),
    );
  });

  test("when it is cut off from our side", async () => {
    answersAt = "never";
    const client = await openRaw(port, `${head}half`);
    await toldInTheEnd("lent");
    newest.destroy();
    newest.destroy();
    expect(told).toEqual(["lent", "cut off", "given back"]);
    await client.closed;
  });
});

test("what is refused before anyone sees to it is told, and a body is lent nothing before it comes", async () => {
  const odd = await openRaw(port, "ODD\r\n\r\n");
  await odd.closed;
  expect(told).toEqual(["refused 400"]);
  const silent = await openRaw(port, head);
  await silent.closed;
  expect(told).toEqual(["refused 400", "cut off"]);
});
