import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/product.js";
import { startTestGateway, type TestGateway } from "./gateway.js";
import { bodyOf, startUpstream, type TestUpstream } from "./upstream.js";
import { endToEnd, openRaw, send, type WireRequest } from "./wire.js";

let upstream: TestUpstream;
let gateway: TestGateway;
/** What became of requests that the upstream keeps waiting, by path. */
const aborted = new Set<string>();
const started = new Set<string>();

beforeAll(async () => {
  upstream = await startUpstream(async (request, response) => {
    const path = request.url!;
    started.add(path);
    request.once("error", () => {});
    response.once("close", () => {
      if (!response.writableFinished) aborted.add(path);
    });
    if (path.startsWith("/v2/hang")) return void request.resume();
    if (path === "/v2/reset") return void request.socket.resetAndDestroy();
    if (path === "/v2/half") {
      response.writeHead(200, { "content-length": "1000" });
      response.write("half");
      setTimeout(() => request.socket.destroy(), 20);
      return;
    }
    if (path === "/v2/early") {
      response.writeHead(413, { "content-type": "text/plain", connection: "close" });
      response.end("too much");
      return;
    }
    if (path === "/v2/stream") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: one\n\n");
      request.on("data", (chunk: Buffer) => {
        if (chunk.includes("last")) response.end("data: two\n\n");
      });
      return;
    }
    const body = await bodyOf(request).catch(() => null);
    if (body === null) return;
    switch (path) {
      case "/v2/models/down/ready":
        response.writeHead(400, "Bad Luck").end();
        break;
      case "/v2/empty":
        response.writeHead(204).end();
        break;
      case "/v2/unusual":
        response.sendDate = false;
        response.writeHead(418, "I'm a teapot", [
          "X-B",
          "2",
          "x-a",
          "1",
          "X-B",
          "3",
          "Set-Cookie",
          "a=1",
          "Set-Cookie",
          "b=2",
        ]);
        response.end("caf\u00e9");
        break;
      case "/v2/trailers":
        response.writeHead(200, { Trailer: "X-Sum", "Content-Type": "text/plain" });
        response.write("body");
        response.addTrailers([["X-Sum", "4"]]);
        response.end();
        break;
      case "/v2/told-trailers":
        response.writeHead(200, { "Content-Type": "application/json" });
        response.end(JSON.stringify([body.toString(), request.rawTrailers]));
        break;
      case "/v2/zipped":
        response.writeHead(200, { "Content-Encoding": "gzip", "Content-Type": "application/json" });
        response.end(gzipSync('{"a":1}'));
        break;
      case "/v2/huge":
        response.writeHead(200, { "Content-Type": "application/octet-stream" });
        for (let part = 0; part < 80; part++) response.write(Buffer.alloc(100_000, part));
        response.end();
        break;
      default:
        response.writeHead(200, { "Content-Type": "application/octet-stream", "X-Method": request.method! });
        response.end(body);
    }
  });
  gateway = await startTestGateway({ UNDERSTUDY_DEFAULT_PRIMARY: upstream.url });
});
afterAll(async () => {
  await gateway?.remove();
  await upstream?.close();
});

const requests: [string, WireRequest][] = [
  ["a small body", { method: "POST", path: "/v2/models/m/infer", body: '{"inputs":[]}' }],
  ["an empty POST", { method: "POST", path: "/v2/repository/index" }],
  [
    "a body of every byte",
    { method: "POST", path: "/v2/x", body: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) },
  ],
  [
    "a body larger than is received whole",
    { method: "POST", path: "/v2/x", body: Buffer.alloc(5_000_000, "ab") },
  ],
  [
    "a chunked body",
    { method: "POST", path: "/v2/x", headers: { "transfer-encoding": "chunked" }, body: "abc" },
  ],
  ["malformed JSON", { method: "POST", path: "/v2/models/m/infer", body: '{"__proto__": {"a":' }],
  ["two million brackets", { method: "POST", path: "/v2/models/m/infer", body: "[".repeat(2_000_000) }],
  [
    "a lie about the JSON's length",
    { method: "POST", path: "/v2/x", headers: { "Inference-Header-Content-Length": "-5" }, body: "abc" },
  ],
  ["a path with escapes and a query", { path: "/v2/models/a%20b%2F..%2Fc/ready?x=%00&y[]=1" }],
  ["HEAD", { method: "HEAD", path: "/v2/x" }],
  ["PUT with a body", { method: "PUT", path: "/v2/x", body: "put" }],
  ["DELETE", { method: "DELETE", path: "/v2/x" }],
  ["a status with an empty body and its own words", { path: "/v2/models/down/ready" }],
  ["204", { path: "/v2/empty" }],
  ["unusual headers, repeated and in mixed case", { path: "/v2/unusual" }],
  ["trailers", { path: "/v2/trailers" }],
  ["a compressed answer", { path: "/v2/zipped" }],
  ["an answer of 8 MB in chunks", { path: "/v2/huge" }],
];

test.each(requests)("%s: the answer is the primary's, byte for byte", async (_, request) => {
  const [direct, through] = [await send(upstream.port, request), await send(gateway.port, request)];
  const [head, passed] = upstream.seen.slice(-2).map(({ method, url }) => ({ method, url }));
  expect(passed).toEqual(head);
  expect({ ...through, rawHeaders: endToEnd(through.rawHeaders), body: null }).toEqual({
    ...direct,
    rawHeaders: endToEnd(direct.rawHeaders),
    body: null,
  });
  expect(through.body.equals(direct.body)).toBe(true);
});

test("request headers keep their order and case; those of one hop stay behind", async () => {
  const head = [
    "POST /v2/headers HTTP/1.1",
    "Host: client.example",
    "X-Second: 2",
    "x-first: 1",
    "Authorization: Bearer secret",
    "Connection: keep-alive, X-Private",
    "X-Private: mine",
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "Proxy-Connection: keep-alive",
    "X-Second: 3",
    "Content-Length: 2",
  ];
  const raw = await openRaw(gateway.port, `${head.join("\r\n")}\r\n\r\nok`);
  await eventually(
    async () => raw.received(),
    (text) => text.includes("ok"),
    { withinMs: 30_000, everyMs: 10 },
  );
  raw.socket.destroy();
  const seen = upstream.seen.findLast(({ url }) => url === "/v2/headers")!.rawHeaders;
  const pairs = seen.flatMap((text, index) => (index % 2 === 0 ? [`${text}: ${seen[index + 1]}`] : []));
  expect(pairs.filter((pair) => /^(x-|auth|keep|te|proxy)/i.test(pair))).toEqual([
    "X-Second: 2",
    "x-first: 1",
    "Authorization: Bearer secret",
    "X-Second: 3",
  ]);
  expect(pairs).toContain(`host: 127.0.0.1:${upstream.port}`);
});

test("a body and every header arrive behind thousands of headers", async () => {
  const many = Array.from({ length: 4_000 }, (_, index) => `x-${index}: 1\r\n`).join("");
  const head = `POST /v2/many HTTP/1.1\r\nHost: h\r\n${many}Transfer-Encoding: chunked\r\n\r\n`;
  const raw = await openRaw(gateway.port, `${head}4\r\nbody\r\n0\r\n\r\n`);
  await eventually(
    async () => raw.received(),
    (text) => text.includes("\r\n\r\n4\r\nbody\r\n"),
    { withinMs: 30_000, everyMs: 10 },
  );
  raw.socket.destroy();
  const seen = upstream.seen.findLast(({ url }) => url === "/v2/many")!.rawHeaders;
  expect(seen.filter((name) => name.startsWith("x-")).length).toBe(4_000);
});

test("trailers of a request are passed on, but for those that are not the primary's business", async () => {
  const head =
    "POST /v2/told-trailers HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
  const trailers = "X-Sum: 4\r\nx-Other: caf\u00e9\r\nKeep-Alive: timeout=9\r\n";
  const raw = await openRaw(gateway.port, Buffer.from(`${head}4\r\nbody\r\n0\r\n${trailers}\r\n`, "latin1"));
  const said = JSON.stringify(["body", ["X-Sum", "4", "x-Other", "caf\u00e9"]]);
  await eventually(
    async () => Buffer.from(raw.received(), "latin1").toString("utf8"),
    (text) => text.includes(said),
    { withinMs: 30_000, everyMs: 10 },
  );
  raw.socket.destroy();
});

test("trailers of an answer are passed on, but for those that could frame it anew", async () => {
  const source = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () =>
      socket.write(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 4\r\nContent-Length: 9\r\n" +
          "Transfer-Encoding: chunked\r\nConnection: close\r\nKeep-Alive: timeout=9\r\nx-Other: 5\r\n\r\n",
      ),
    );
  }).listen(0, "127.0.0.1");
  await once(source, "listening");
  const { port } = source.address() as { port: number };
  const between = await startTestGateway({ UNDERSTUDY_DEFAULT_PRIMARY: `http://127.0.0.1:${port}` });
  const answer = await send(between.port, { path: "/v2/x" });
  expect(answer.body.toString()).toBe("body");
  expect(answer.rawTrailers).toEqual(["X-Sum", "4", "x-Other", "5"]);
  await between.remove();
  source.close();
});

test.each(["gzip, chunked", "gzip,chunked"])(
  "a request whose coding is %s is refused: its label would end at this hop",
  async (coding) => {
    const before = upstream.seen.length;
    const head = `POST /v2/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ${coding}\r\n\r\n`;
    const raw = await openRaw(gateway.port, `${head}3\r\nabc\r\n0\r\n\r\n`);
    const text = await eventually(
      async () => raw.received(),
      (all) => all.includes("}"),
      { withinMs: 30_000, everyMs: 10 },
    );
    expect(text).toMatch(/^HTTP\/1\.1 501/);
    expect(text).toContain("use Content-Encoding");
    expect(upstream.seen.length).toBe(before);
    raw.socket.destroy();
  },
);

test("both directions stream: the answer's beginning arrives while the request is still being sent", async () => {
  const raw = await openRaw(
    gateway.port,
    "POST /v2/stream HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
  );
  await eventually(
    async () => raw.received(),
    (text) => text.includes("data: one"),
    { withinMs: 30_000, everyMs: 10 },
  );
  expect(raw.received()).not.toContain("two");
  raw.socket.write("4\r\nlast\r\n0\r\n\r\n");
  await eventually(
    async () => raw.received(),
    (text) => text.includes("data: two"),
    { withinMs: 30_000, everyMs: 10 },
  );
  raw.socket.destroy();
});

test("an answer that comes before the upload ends reaches the client", async () => {
  const raw = await openRaw(
    gateway.port,
    "POST /v2/early HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\nbegin",
  );
  const text = await eventually(
    async () => raw.received(),
    (all) => all.includes("too much"),
    { withinMs: 30_000, everyMs: 10 },
  );
  expect(text).toMatch(/^HTTP\/1\.1 413/);
  raw.socket.destroy();
});

test("a client that does not read holds the primary back, not our memory", async () => {
  const total = 300_000_000;
  let written = 0;
  const source = await startUpstream((_, response) => {
    response.writeHead(200, { "content-length": total });
    const chunk = Buffer.alloc(100_000);
    const pump = () => {
      while (written < total) {
        written += chunk.length;
        if (!response.write(chunk)) {
          response.once("drain", pump);
          return;
        }
      }
      response.end();
    };
    pump();
  });
  const held = await startTestGateway({ UNDERSTUDY_DEFAULT_PRIMARY: source.url });
  const raw = await openRaw(held.port, "GET /v2/x HTTP/1.1\r\nHost: h\r\n\r\n");
  raw.socket.pause();
  await eventually(
    async () => written,
    (now) => now > 0,
    { withinMs: 30_000, everyMs: 20 },
  );
  let before = -1;
  await eventually(
    async () => {
      const same = written === before;
      before = written;
      return same;
    },
    (same) => same,
    { withinMs: 10_000, everyMs: 300 },
  );
  expect(written).toBeLessThan(30_000_000);
  raw.socket.destroy();
  await held.remove();
  await source.close();
});

describe("a client that goes away takes the primary's request with it", () => {
  test.each([
    [
      "while it waits for the answer",
      "/v2/hang/waiting",
      "POST PATH HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok",
    ],
    [
      "in the middle of a large upload",
      "/v2/hang/upload",
      `POST PATH HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n${"x".repeat(200_000)}`,
    ],
    [
      "in the middle of a chunked upload",
      "/v2/hang/chunked",
      "POST PATH HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
  ])("%s", async (_, path, head) => {
    const raw = await openRaw(gateway.port, head.replace("PATH", path));
    await eventually(
      async () => started.has(path),
      (is) => is,
      { withinMs: 30_000, everyMs: 10 },
    );
    expect(aborted.has(path)).toBe(false);
    raw.socket.destroy();
    await eventually(
      async () => aborted.has(path),
      (is) => is,
      { withinMs: 30_000, everyMs: 10 },
    );
  });
});

test("a small upload that is cut off never reaches the primary", async () => {
  const raw = await openRaw(
    gateway.port,
    "POST /v2/hang/cut HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
  );
  raw.socket.destroy();
  await send(gateway.port, { path: "/v2/after" });
  expect(started.has("/v2/hang/cut")).toBe(false);
});

test.each([
  ["an answer in many pieces", 80 * 100_000],
  ["an answer in one piece", 12_000],
])(
  "a client that takes nothing of %s is cut off, and the primary's connection with it",
  async (_, bytes) => {
    let closed = 0;
    let answered = 0;
    const source = await startUpstream((_request, response) => {
      answered += 1;
      response.once("close", () => {
        closed += 1;
      });
      response.end(Buffer.alloc(bytes));
    });
    const strict = await startTestGateway({
      UNDERSTUDY_DEFAULT_PRIMARY: source.url,
      UNDERSTUDY_GATEWAY_CLIENT_SILENCE_MS: "200",
    });
    // Small answers fill the connection together: each waits until the one before has gone out.
    const asked = 2_000;
    const raw = await openRaw(strict.port, "GET /v2/x HTTP/1.1\r\nHost: h\r\n\r\n".repeat(asked));
    raw.socket.pause();
    const aborted = async () => {
      const metrics = await (await fetch(strict.metrics)).text();
      return Number(/requests_total\{deployment="",code="aborted"\} (\d+)/.exec(metrics)?.[1] ?? 0);
    };
    await eventually(aborted, (count) => count === 1, { withinMs: 20_000, everyMs: 50 });
    expect(answered).toBeLessThan(asked);
    await eventually(
      async () => closed,
      (count) => count === answered,
      { withinMs: 30_000, everyMs: 20 },
    );
    raw.socket.destroy();
    await strict.remove();
    await source.close();
  },
  40_000,
);

test("a client that takes its answer slowly is not cut off", async () => {
  const source = await startUpstream((_, response) => void response.end(Buffer.alloc(8_000_000, "a")));
  const settings = { UNDERSTUDY_DEFAULT_PRIMARY: source.url, UNDERSTUDY_GATEWAY_CLIENT_SILENCE_MS: "500" };
  const strict = await startTestGateway(settings);
  const raw = await openRaw(strict.port, "GET /v2/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  // Pauses that are shorter than the limit, and longer than it altogether.
  const pauses = setInterval(() => {
    raw.socket.pause();
    setTimeout(() => raw.socket.resume(), 60);
  }, 75);
  await raw.closed;
  clearInterval(pauses);
  expect(raw.received().length).toBeGreaterThan(8_000_000);
  await strict.remove();
  await source.close();
}, 40_000);

test("too many requests that wait for the primary are answered 503, and counted", async () => {
  const held: (() => void)[] = [];
  const source = await startUpstream((_, response) => void held.push(() => response.end("ok")));
  const narrow = await startTestGateway({
    UNDERSTUDY_DEFAULT_PRIMARY: source.url,
    UNDERSTUDY_GATEWAY_PRIMARY_CONNECTIONS: "1",
    UNDERSTUDY_GATEWAY_PRIMARY_WAITING_MAX: "1",
  });
  const answers = Array.from({ length: 4 }, () => send(narrow.port, { path: "/v2/x" }));
  const refused = await Promise.race(answers);
  expect(refused.status).toBe(503);
  expect(JSON.parse(refused.body.toString())).toEqual({
    error: "the primary did not answer: 1 requests wait for a connection to it already",
  });
  const release = setInterval(() => held.shift()?.(), 10);
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  clearInterval(release);
  expect(statuses.sort()).toEqual([200, 200, 503, 503]);
  const metrics = await (await fetch(narrow.metrics)).text();
  expect(metrics).toContain('understudy_gateway_busy_total{deployment=""} 2');
  await narrow.remove();
  await source.close();
});

test("answers that are under way when the gateway closes end their connections, and say so", async () => {
  const held: ServerResponse[] = [];
  const source = await startUpstream((_, response) => void held.push(response));
  const ending = await startTestGateway({ UNDERSTUDY_DEFAULT_PRIMARY: source.url });
  const clients = [];
  for (const count of [1, 2]) {
    clients.push(await openRaw(ending.port, "GET /v2/x HTTP/1.1\r\nHost: h\r\n\r\n"));
    await eventually(
      async () => held.length,
      (arrived) => arrived === count,
      { everyMs: 5 },
    );
  }
  const closed = ending.close();
  held[0]!.end("late");
  held[1]!.destroy();
  await closed;
  expect(clients[0]!.received()).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\nConnection: close\r\n[\s\S]*late$/);
  expect(clients[1]!.received()).toMatch(/^HTTP\/1\.1 502 [\s\S]*\r\nConnection: close\r\n/);
  await ending.remove();
  await source.close();
});

describe("when the primary fails", () => {
  test("a reset before any answer is a 502 in V2's form, and is not tried again", async () => {
    const before = upstream.seen.length;
    const answer = await send(gateway.port, { method: "POST", path: "/v2/reset", body: "x" });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body.toString())).toEqual({ error: expect.stringContaining("primary") });
    expect(upstream.seen.length - before).toBe(1);
  });

  test("an answer that breaks off breaks off for the client too, and is not counted as its doing", async () => {
    const counted = async (code: string) => {
      const metrics = await (await fetch(gateway.metrics)).text();
      return Number(
        new RegExp(`requests_total\\{deployment="",code="${code}"\\} (\\d+)`).exec(metrics)?.[1] ?? 0,
      );
    };
    const [aborted, broken] = [await counted("aborted"), await counted("broken")];
    await expect(send(gateway.port, { path: "/v2/half" })).rejects.toThrow();
    expect(await counted("broken")).toBe(broken + 1);
    expect(await counted("aborted")).toBe(aborted);
  });

  test("what the gateway refuses by itself is counted", async () => {
    const alone = await startTestGateway({});
    const raw = await openRaw(alone.port, "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    await raw.closed;
    expect((await send(alone.port, { path: "/v2/x" })).status).toBe(404);
    const metrics = await (await fetch(alone.metrics)).text();
    expect(metrics).toContain('understudy_gateway_requests_total{deployment="",code="4xx"} 2');
    await alone.remove();
  });

  test("nothing listening is a 502, at once", async () => {
    const taken = createTcpServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    await new Promise((resolve) => taken.close(resolve));
    const lonely = await startTestGateway({ UNDERSTUDY_DEFAULT_PRIMARY: `http://127.0.0.1:${port}` });
    const answer = await send(lonely.port, { path: "/v2/health/ready" });
    expect(answer.status).toBe(502);
    expect(answer.rawHeaders).toContain("application/json");
    // Neither the address nor the port, which are nobody's business.
    expect(JSON.parse(answer.body.toString())).toEqual({
      error: "the primary did not answer: the connection failed (ECONNREFUSED)",
    });
    // Our own health is not the primary's.
    expect((await send(lonely.port, { path: "/healthz" })).status).toBe(200);
    await lonely.remove();
  });
});

describe("bad requests end at the gateway, and harm no other", () => {
  test.each([
    ["headers of 100 kB", `GET /v2/x HTTP/1.1\r\nHost: h\r\nX-Long: ${"a".repeat(100_000)}\r\n\r\n`, 431],
    [
      "Content-Length with Transfer-Encoding",
      "POST /v2/smuggle HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    [
      "two different Content-Lengths",
      "POST /v2/smuggle HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
      400,
    ],
    ["a negative Content-Length", "POST /v2/smuggle HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n", 400],
    ["a line break in a header's name", "GET /v2/smuggle HTTP/1.1\r\nHost: h\r\nX-\r\nY: 1\r\n\r\n", 400],
    ["NUL in a header", "GET /v2/smuggle HTTP/1.1\r\nHost: h\r\nX-A: a\0b\r\n\r\n", 400],
    ["no HTTP at all", "\x16\x03\x01\x02\x00\x01", 400],
    ["a target that is no path", "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 400],
  ])("%s", async (_, bytes, status) => {
    const raw = await openRaw(gateway.port, bytes);
    await raw.closed;
    expect(raw.received()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(upstream.seen.some(({ url }) => url === "/v2/smuggle")).toBe(false);
    expect((await send(gateway.port, { method: "POST", path: "/v2/x", body: "fine" })).body.toString()).toBe(
      "fine",
    );
  });

  test("a body in chunks of one byte arrives whole", async () => {
    const text = "one byte at a time, please";
    const raw = await openRaw(
      gateway.port,
      "POST /v2/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for (const letter of text) raw.socket.write(`1\r\n${letter}\r\n`);
    raw.socket.write("0\r\n\r\n");
    await eventually(
      async () => raw.received(),
      (all) => all.includes(text),
      { withinMs: 30_000, everyMs: 10 },
    );
    raw.socket.destroy();
  });

  test.each([
    ["http://other.example/v2/absolute?q=1", "/v2/absolute?q=1"],
    ["HTTPS://u:p@[::1]:8000/a/%2e%2e/b\\c/../d?x=y", "/a/%2e%2e/b\\c/../d?x=y"],
    ["http://other.example", "/"],
    ["http://other.example?q=/", "/?q=/"],
  ])(
    "of the whole URL %s the primary is asked for what follows the authority, as it is",
    async (url, path) => {
      const raw = await openRaw(gateway.port, `GET ${url} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
      await raw.closed;
      expect(upstream.seen.at(-1)!.url).toBe(path);
    },
  );
});

test("beyond so many connections a client is turned away, until another has left", async () => {
  const small = await startTestGateway({
    UNDERSTUDY_DEFAULT_PRIMARY: upstream.url,
    UNDERSTUDY_GATEWAY_CONNECTIONS_MAX: "2",
  });
  const kept = [await openRaw(small.port, ""), await openRaw(small.port, "")];
  const answered = () =>
    send(small.port, { path: "/healthz" }).then(
      ({ status }) => status,
      () => null,
    );
  expect(await eventually(answered, (status) => status === null, { everyMs: 10 })).toBeNull();
  kept[0]!.socket.destroy();
  expect(await eventually(answered, (status) => status === 200, { everyMs: 10 })).toBe(200);
  kept[1]!.socket.destroy();
  await small.remove();
});

test("the default primary's own path comes before every path", async () => {
  const prefixed = await startTestGateway({ UNDERSTUDY_DEFAULT_PRIMARY: `${upstream.url}/serving/` });
  await send(prefixed.port, { path: "/v2/health/ready?a=1" });
  expect(upstream.seen.at(-1)!.url).toBe("/serving/v2/health/ready?a=1");
  await prefixed.remove();
});
