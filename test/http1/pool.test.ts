import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createUpstreamPool, UpstreamBusy, type UpstreamPool } from "../../src/http1/pool.js";
import { Turn } from "../../src/http1/turn.js";
import {
  UpstreamConnection,
  type UpstreamRequest,
  UpstreamTimeout,
} from "../../src/http1/upstream-connection.js";
import { Scratch } from "../../src/scratch.js";
import { eventually } from "../support/product.js";
import { ask } from "./ask.js";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Primary {
  origin: string;
  sockets: Socket[];
  server: Server;
}

/** Answers every request (which has no body) by `answer`, told its number on its connection. */
async function startPrimary(answer: (socket: Socket, number: number) => void): Promise<Primary> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let number = 0;
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      for (const _ of bytes.toString("latin1").matchAll(/\r\n\r\n/g)) answer(socket, ++number);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        for (const socket of sockets) socket.destroy();
      }),
  );
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets, server };
}

function poolFor(
  origin: string,
  options: {
    connectionsMax?: number;
    waitingMax?: number;
    idleMs?: number;
    headersMs?: number;
    bodyMs?: number;
    onConnectFailure?: () => void;
  } = {},
): UpstreamPool {
  const pool = createUpstreamPool(origin, {
    connectionsMax: null,
    waitingMax: 100,
    idleMs: 60_000,
    headBytesMax: 1_000,
    headersMs: 60_000,
    bodyMs: 60_000,
    connectMs: 5_000,
    ...options,
  });
  closers.push(() => pool.destroy());
  return pool;
}

const one = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";

test("a connection whose primary answered before it took all that it was sent is not used again", async () => {
  const primary = await startPrimary((socket, number) => {
    socket.pause();
    socket.write(`${one}${number}`);
  });
  const pool = poolFor(primary.origin);
  // More than the kernel takes: what is left lies in memory that its owner has for others once the answer is there.
  const body = Buffer.alloc(64 * 1024 ** 2);
  const headers = ["Content-Length", String(body.length)];
  expect(await ask(pool, { method: "POST", target: "/", headers, body }).ended).toBe("1");
  expect(await ask(pool).ended).toBe("1");
  expect(primary.sockets.length).toBe(2);
});

test("a connection is used again, and a second one only when two are needed at once", async () => {
  const primary = await startPrimary((socket, number) => socket.write(`${one}${number}`));
  const pool = poolFor(primary.origin);
  expect([await ask(pool).ended, await ask(pool).ended, await ask(pool).ended]).toEqual(["1", "2", "3"]);
  expect(primary.sockets.length).toBe(1);
  expect(await Promise.all([ask(pool).ended, ask(pool).ended])).toEqual(["4", "1"]);
  expect(primary.sockets.length).toBe(2);
});

test("no more connections than allowed: the rest wait their turn; who gives up leaves it", async () => {
  let answering = 0;
  const primary = await startPrimary((socket) => {
    answering += 1;
    setTimeout(() => socket.write(`${one}a`), 20);
  });
  const pool = poolFor(primary.origin, { connectionsMax: 2 });
  const asked = Array.from({ length: 7 }, () => ask(pool));
  asked[5]!.abort();
  asked.splice(5, 1);
  expect(await Promise.all(asked.map(({ ended }) => ended))).toEqual(Array(6).fill("a"));
  expect(primary.sockets.length).toBe(2);
  expect(answering).toBe(6);
});

test("of those that wait no more than allowed: any further one fails at once, and there is room again after", async () => {
  const held: Socket[] = [];
  const primary = await startPrimary((socket) => held.push(socket));
  const pool = poolFor(primary.origin, { connectionsMax: 1, waitingMax: 2 });
  const [first, gone, waits] = [ask(pool), ask(pool), ask(pool)];
  expect(await ask(pool).ended).toBeInstanceOf(UpstreamBusy);
  gone.abort();
  const last = ask(pool);
  for (const [turn, { ended }] of [first, waits, last].entries()) {
    await eventually(
      async () => held.length,
      (count) => count === turn + 1,
      { everyMs: 5 },
    );
    held[turn]!.write(`${one}${turn}`);
    expect(await ended).toBe(String(turn));
  }
  expect(primary.sockets.length).toBe(1);
});

test.each([
  ["close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"],
  ["more than its answer", `${one}aHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx`],
  [
    "a keep-alive that is over at once",
    "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 1\r\n\r\na",
  ],
])("a connection that answered with %s is not used again", async (_, text) => {
  const primary = await startPrimary((socket) => socket.write(text));
  const pool = poolFor(primary.origin);
  for (let count = 1; count <= 3; count++) {
    expect(await ask(pool).ended).toBe("a");
    expect(primary.sockets.length).toBe(count);
  }
});

test("what comes unasked on an idle connection ends it, and is nobody's answer", async () => {
  const primary = await startPrimary((socket, number) => {
    socket.write(`${one}${number}`);
  });
  const pool = poolFor(primary.origin);
  expect(await ask(pool).ended).toBe("1");
  const [first] = primary.sockets;
  const closed = new Promise((resolve) => first!.once("close", resolve));
  first!.write(`${one}x`);
  await closed;
  expect(await ask(pool).ended).toBe("1");
});

test("connections are kept ready: no more than are missing, and requests go out on them", async () => {
  const primary = await startPrimary((socket, number) => socket.write(`${one}${number}`));
  const pool = poolFor(primary.origin);
  pool.keep(2);
  pool.keep(2);
  await eventually(
    async () => primary.sockets.length,
    (count) => count === 2,
    { everyMs: 5 },
  );
  pool.keep(2);
  expect(await Promise.all([ask(pool).ended, ask(pool).ended])).toEqual(["1", "1"]);
  expect(primary.sockets.length).toBe(2);
});

test.each([
  ["ends", (socket: Socket) => socket.destroy()],
  ["resets", (socket: Socket) => socket.resetAndDestroy()],
])(
  "a connection that the primary %s just before a request would go out costs nobody an answer",
  async (_, act) => {
    const primary = await startPrimary((socket, number) => socket.write(`${one}${number}`));
    const pool = poolFor(primary.origin, { connectionsMax: 1 });
    expect(await ask(pool).ended).toBe("1");
    // From a timer, sockets are read before the turn ends, at which the requests go out.
    await new Promise((resolve) => setTimeout(resolve, 5));
    act(primary.sockets[0]!);
    const asked = [ask(pool), ask(pool)];
    expect(await Promise.all(asked.map(({ ended }) => ended))).toEqual(["1", "2"]);
    expect(primary.sockets.length).toBe(2);
  },
);

test("an idle connection is closed after its time", async () => {
  const primary = await startPrimary((socket, number) => socket.write(`${one}${number}`));
  const pool = poolFor(primary.origin, { idleMs: 40 });
  await ask(pool).ended;
  await eventually(async () => primary.sockets[0]!.destroyed, Boolean, { withinMs: 5_000, everyMs: 10 });
});

test.each([
  ["no head comes", "", { headersMs: 50 }],
  ["the body stops coming", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", { bodyMs: 50 }],
])("a timeout when %s, and the connection goes with it", async (_, text, limits) => {
  const primary = await startPrimary((socket) => text !== "" && socket.write(text));
  const pool = poolFor(primary.origin, limits);
  expect(await ask(pool).ended).toBeInstanceOf(UpstreamTimeout);
  await eventually(async () => primary.sockets[0]!.destroyed, Boolean, { withinMs: 5_000, everyMs: 10 });
});

test.each([
  ["closes before it answers", (socket: Socket) => socket.end()],
  ["resets", (socket: Socket) => socket.resetAndDestroy()],
  [
    "ends within its answer",
    (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"),
  ],
  ["speaks no HTTP", (socket: Socket) => socket.write("220 smtp ready\r\n\r\n")],
])("an error when the primary %s", async (_, act) => {
  const primary = await startPrimary(act);
  const answer = await ask(poolFor(primary.origin)).ended;
  expect(answer).toBeInstanceOf(Error);
  expect(answer).not.toBeInstanceOf(UpstreamTimeout);
});

test("a refused connection is an error, and is told", async () => {
  const primary = await startPrimary(() => {});
  await new Promise((resolve) => primary.server.close(resolve));
  let refused = 0;
  const pool = poolFor(primary.origin, { onConnectFailure: () => refused++ });
  expect(await ask(pool).ended).toMatchObject({ code: "ECONNREFUSED" });
  expect(refused).toBe(1);
});

test("a connection that was given up before it came about says nothing of the primary", async () => {
  // Takes the connection, and never begins with TLS.
  const primary = await startPrimary(() => {});
  let refused = 0;
  const pool = poolFor(primary.origin.replace("http:", "https:"), { onConnectFailure: () => refused++ });
  const asked = ask(pool);
  await eventually(
    async () => primary.sockets.length,
    (count) => count === 1,
    { everyMs: 5 },
  );
  asked.abort();
  await eventually(async () => primary.sockets[0]!.destroyed, Boolean, { everyMs: 5 });
  expect(refused).toBe(0);
});

test("a connection is idle from the end of its answer, not from the next look at it", async () => {
  const primary = await startPrimary((socket, number) => socket.write(`${one}${number}`));
  const socket = connect((primary.server.address() as AddressInfo).port, "127.0.0.1");
  let rest = () => {};
  const idle = new Promise<void>((resolve) => {
    rest = resolve;
  });
  const limits = { headBytesMax: 1_000, headersMs: 60_000, bodyMs: 60_000, connectMs: 5_000 };
  const connection = new UpstreamConnection(socket, "h", limits, {
    turn: new Turn(),
    scratch: new Scratch(16 * 1024),
    onIdle: () => rest(),
    onGone() {},
  });
  closers.push(() => connection.destroy());
  socket.on("data", (bytes: Buffer) => connection.receive(bytes));
  const pool: Pick<UpstreamPool, "dispatch"> = {
    dispatch(request, handler) {
      connection.take(request, handler, { onUnsent() {} });
      return { write: () => true, end() {}, resume() {}, abort() {} };
    },
  };
  const answered = ask(pool).ended;
  await new Promise((resolve) => socket.once("connect", resolve));
  connection.connected();
  expect(await answered).toBe("1");
  await idle;
  const { idleSinceMs } = connection;
  connection.check(idleSinceMs + 900);
  expect(connection.idleSinceMs).toBe(idleSinceMs);
});

test("an upload that waits for its client is not the primary's silence", async () => {
  const primary = await startPrimary(() => {});
  const pool = poolFor(primary.origin, { headersMs: 40 });
  let uploading = () => {};
  const sent = new Promise<void>((resolve) => {
    uploading = resolve;
  });
  let failed: Error | null = null;
  const request: UpstreamRequest = { method: "POST", target: "/", headers: [], body: "chunked" };
  const call = pool.dispatch(request, {
    onSent: () => uploading(),
    onInterim() {},
    onHead() {},
    onBody: () => true,
    onEnd() {},
    onError: (error) => {
      failed = error;
    },
    onDrain() {},
  });
  await sent;
  // Several looks long; a late look can only make it longer.
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(failed).toBeNull();
  call.end([]);
  await eventually(
    async () => failed,
    (error) => error instanceof UpstreamTimeout,
    { everyMs: 5 },
  );
});

test("closing lets what is under way end; destroying does not", async () => {
  const waiting: Socket[] = [];
  const primary = await startPrimary((socket) => waiting.push(socket));
  const pool = poolFor(primary.origin);
  const kept = ask(pool);
  await eventually(
    async () => waiting.length,
    (count) => count === 1,
    { everyMs: 5 },
  );
  pool.close();
  waiting[0]!.write(`${one}a`);
  expect(await kept.ended).toBe("a");
  const cut = ask(pool);
  await eventually(
    async () => waiting.length,
    (count) => count === 2,
    { everyMs: 5 },
  );
  pool.destroy();
  expect(await cut.ended).toBeInstanceOf(Error);
});
