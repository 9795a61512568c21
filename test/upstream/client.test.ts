import type { Socket } from "node:net";
import { afterAll, describe, expect, it, test } from "vitest";
import { createUpstream } from "../../src/upstream/client.js";
import type { Endpoint } from "../../src/upstream/endpoint.js";
import type { Observation } from "../../src/upstream/observation.js";
import { freePort } from "../queue/redis.js";
import { http, type RawServer, startRawServer } from "./servers.js";

const secrets: Record<string, string> = { token: "s3cret", host: "models.test", broken: "a\r\nx: b" };
const upstream = createUpstream({ config: { secret: (name) => secrets[name] } });
afterAll(() => upstream.close());

const endpointOf = (url: string): Endpoint => ({ url, model: "m", version: null, headers: {} });
const inference = {
  call: "infer" as const,
  headers: { "content-type": "application/json" },
  body: Buffer.from('{"inputs":[]}'),
};
const limits = { timeoutMs: 5_000, responseBytesMax: 1024 * 1024 };
const hang = { ...limits, timeoutMs: 300 };

async function sendTo(server: RawServer, within = limits): Promise<Observation> {
  return upstream.send(endpointOf(server.url), inference, within);
}

const endless = (socket: Socket) => {
  const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on("drain", more);
  more();
};

describe("an endpoint that misbehaves is observed", () => {
  // Each row: what the server does, what is observed, how often it was asked.
  test.each<[string, (socket: Socket, number: number) => void, Partial<Observation>, number, typeof limits]>([
    ["hangs before the head", () => {}, { ok: false, failure: "timeout" }, 1, hang],
    [
      "hangs in the head",
      (s) => s.write("HTTP/1.1 200 OK\r\nContent-"),
      { ok: false, failure: "timeout" },
      1,
      hang,
    ],
    [
      "hangs in the body",
      (s) => s.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
      { ok: false, failure: "timeout", status: 200 },
      1,
      hang,
    ],
    [
      "drips for ever",
      (s) => {
        s.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        const drip = setInterval(() => s.write("1\r\nx\r\n"), 10);
        s.on("close", () => clearInterval(drip));
      },
      { ok: false, failure: "timeout", status: 200 },
      1,
      hang,
    ],
    ["resets", (s) => s.resetAndDestroy(), { ok: false, failure: "network" }, 1, limits],
    [
      "resets in the body",
      (s) => s.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", () => s.resetAndDestroy()),
      { ok: false, failure: "network", status: 200 },
      1,
      limits,
    ],
    [
      "ends before the length it announced",
      (s) => s.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"),
      { ok: false, failure: "network", status: 200 },
      1,
      limits,
    ],
    [
      "says no",
      (s) => s.write(http(404, "no such model")),
      { ok: false, failure: "http_4xx", status: 404, message: "status 404: no such model" },
      1,
      limits,
    ],
    ["fails", (s) => s.write(http(500, "boom")), { ok: false, failure: "http_5xx", status: 500 }, 1, limits],
    [
      "fails at great length",
      (s) => {
        s.write("HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n");
        endless(s);
      },
      { ok: false, failure: "http_5xx", status: 500 },
      1,
      limits,
    ],
    [
      "redirects to a metadata service",
      (s) => s.write(http(307, "", "Location: http://169.254.169.254/\r\n")),
      { ok: false, failure: "protocol_error", status: 307 },
      1,
      limits,
    ],
    [
      "is always throttled",
      (s) => s.write(http(429)),
      { ok: false, failure: "throttled", status: 429 },
      3,
      limits,
    ],
    [
      "is never there",
      (s) => s.write(http(503)),
      { ok: false, failure: "throttled", status: 503 },
      3,
      limits,
    ],
    ["is throttled twice", (s, n) => s.write(n < 3 ? http(429) : http(200, "{}")), { ok: true }, 3, limits],
    ["is away once", (s, n) => s.write(n < 2 ? http(503) : http(200, "{}")), { ok: true }, 2, limits],
    [
      "is away once, then fails",
      (s, n) => s.write(n < 2 ? http(503) : http(500)),
      { ok: false, failure: "http_5xx", status: 500 },
      2,
      limits,
    ],
    [
      "does not speak HTTP",
      (s) => s.write("220 mail ESMTP\r\n\r\n"),
      { ok: false, failure: "protocol_error" },
      1,
      limits,
    ],
    [
      "sends a head without end",
      (s) => s.write(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(200_000)}`),
      { ok: false, failure: "protocol_error" },
      1,
      limits,
    ],
    [
      "breaks its chunks",
      (s) => s.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
      { ok: false, failure: "protocol_error", status: 200 },
      1,
      limits,
    ],
    [
      "sends nonsense under a good status",
      (s) => s.write(http(200, "\u0000garbage")),
      { ok: true, status: 200 },
      1,
      limits,
    ],
    [
      "announces 2 GB",
      (s) => s.write("HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n{"),
      { ok: false, failure: "too_large", status: 200 },
      1,
      limits,
    ],
    [
      "hints first",
      (s) => s.write(`HTTP/1.1 103 X\r\n\r\n${http(200, "{}")}`),
      { ok: true, status: 200 },
      1,
      limits,
    ],
  ])("%s", async (_, answer, expected, asked, within) => {
    const server = await startRawServer(answer);
    const observation = await sendTo(server, within);
    expect(observation).toMatchObject(expected);
    expect(server.requests.length).toBe(asked);
    expect(observation.attempts.length).toBe(asked);
    const last = observation.attempts.at(-1)!;
    expect(last.latencyMs).toBe(observation.latencyMs);
    expect(last.failure).toBe(observation.ok ? undefined : observation.failure);
    await server.close();
  });

  it("cuts an answer without end at the cap", async () => {
    const server = await startRawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      endless(socket);
    });
    expect(await sendTo(server)).toMatchObject({ ok: false, failure: "too_large" });
    const written = server.bytesWritten();
    expect(written).toBeGreaterThan(limits.responseBytesMax);
    // What lies in the kernel's buffers was never ours.
    expect(written).toBeLessThan(limits.responseBytesMax + 32 * 1024 * 1024);
    await server.close();
  });

  it("takes an answer exactly as large as the cap", async () => {
    const server = await startRawServer((socket) =>
      socket.write(http(200, "x".repeat(limits.responseBytesMax))),
    );
    expect(await sendTo(server)).toMatchObject({ ok: true });
    await server.close();
  });

  it("tries a refused connection again, and finds the server once it is up", async () => {
    const port = await freePort();
    const sending = upstream.send(endpointOf(`http://127.0.0.1:${port}`), inference, limits);
    // The first attempt is refused before the event loop turns to anything as slow as listening after a pause.
    await new Promise((resolve) => setTimeout(resolve, 30));
    const server = await startRawServer((socket) => socket.write(http(200, "{}")), port);
    const observation = await sending;
    expect(observation.ok).toBe(true);
    expect(observation.attempts[0]).toMatchObject({ failure: "network" });
    expect(observation.attempts.length).toBeGreaterThan(1);
    await server.close();
  });

  it("keeps all attempts at a connection that is always refused", async () => {
    const observation = await upstream.send(
      endpointOf(`http://127.0.0.1:${await freePort()}`),
      inference,
      limits,
    );
    expect(observation).toMatchObject({ ok: false, failure: "network" });
    expect(observation.attempts.map(({ failure }) => failure)).toEqual(["network", "network", "network"]);
  });

  it("shows no control characters of an answer", async () => {
    const server = await startRawServer((socket) =>
      socket.write(http(500, `a\u0000b\u001b[31m\u202e${"x".repeat(900)}`)),
    );
    const observation = await sendTo(server);
    const { message } = observation as Extract<Observation, { ok: false }>;
    expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(message.length).toBeLessThanOrEqual(500);
    await server.close();
  });
});

describe("a request", () => {
  it("goes to the endpoint's own model, with its secrets and the capture's content headers", async () => {
    const server = await startRawServer((socket) => socket.write(http(200, "{}", "X-Other: 1\r\n")));
    const endpoint: Endpoint = {
      url: `${server.url}/prefix/`,
      model: "a b",
      version: "2",
      headers: { Authorization: "token" },
    };
    const observation = await upstream.send(
      endpoint,
      { ...inference, headers: { "content-type": "x/y", "inference-header-content-length": "7" } },
      limits,
    );
    expect(observation).toMatchObject({ ok: true, headers: { "content-type": "application/json" } });
    expect(observation.ok && Object.keys(observation.headers)).toEqual(["content-type"]);
    const request = server.requests[0]!;
    expect(request).toMatch(/^POST \/prefix\/v2\/models\/a%20b\/versions\/2\/infer HTTP\/1.1\r\n/);
    expect(request).toMatch(/\r\nauthorization: s3cret\r\n/i);
    expect(request).toMatch(/\r\ncontent-type: x\/y\r\n/i);
    expect(request).toMatch(/\r\ninference-header-content-length: 7\r\n/i);
    expect(request.endsWith('\r\n\r\n{"inputs":[]}')).toBe(true);
    await server.close();
  });

  it("is not sent without the secret it needs", async () => {
    const server = await startRawServer((socket) => socket.write(http(200, "{}")));
    const endpoint = { ...endpointOf(server.url), headers: { authorization: "my-key" } };
    await expect(upstream.send(endpoint, inference, limits)).rejects.toMatchObject({
      code: "config_invalid",
      hint: expect.stringContaining("UNDERSTUDY_SECRET_MY_KEY"),
    });
    expect(server.requests).toEqual([]);
    await server.close();
  });

  it("goes to the host that the endpoint's headers name", async () => {
    const server = await startRawServer((socket) => socket.write(http(200, "{}")));
    const endpoint = { ...endpointOf(server.url), headers: { Host: "host" } };
    expect((await upstream.send(endpoint, inference, limits)).ok).toBe(true);
    expect(server.requests[0]!.match(/\r\nhost: .*/gi)).toEqual(["\r\nhost: models.test"]);
    await server.close();
  });

  it.each([
    ["X-Key", "broken"],
    ["x key", "token"],
    ["Content-Length", "token"],
    ["Transfer-Encoding", "token"],
  ])("is not sent with a header %s that could be read as something else", async (name, secret) => {
    const server = await startRawServer((socket) => socket.write(http(200, "{}")));
    const endpoint = { ...endpointOf(server.url), headers: { [name]: secret } };
    const observation = await upstream.send(endpoint, inference, limits);
    expect(observation).toMatchObject({
      ok: false,
      failure: "network",
      message: expect.stringMatching(/^the header /),
    });
    expect(observation.attempts.length).toBe(1);
    expect(server.connections).toBe(0);
    await server.close();
  });

  it.each([0, 1, 16_300, 70_000, 3_000_000])("with a body of %i bytes arrives whole", async (size) => {
    const server = await startRawServer((socket) => socket.write(http(200, "{}")));
    const body = Buffer.alloc(size, "x");
    expect((await upstream.send(endpointOf(server.url), { ...inference, body }, limits)).ok).toBe(true);
    expect(server.requests[0]!.slice(server.requests[0]!.indexOf("\r\n\r\n") + 4)).toBe(body.toString());
    await server.close();
  });

  it("uses connections again", async () => {
    const server = await startRawServer((socket) => socket.write(http(200, "{}")));
    for (let n = 0; n < 20; n += 1) expect((await sendTo(server)).ok).toBe(true);
    // Two, since a connection is free again a moment after its answer was read.
    expect(server.connections).toBeLessThanOrEqual(2);
    await server.close();
  });

  it.each([
    ["in flight", () => {}],
    ["waiting for another attempt", (socket: Socket) => socket.write(http(503))],
  ])("ends when it is called off while %s", async (_, answer) => {
    const calledOff = new AbortController();
    const server = await startRawServer((socket, number) => {
      answer(socket);
      if (number === 1) setTimeout(() => calledOff.abort(new Error("called off")), 20);
    });
    await expect(
      upstream.send(endpointOf(server.url), inference, { ...limits, signal: calledOff.signal }),
    ).rejects.toThrow();
    await server.close();
  });
});
