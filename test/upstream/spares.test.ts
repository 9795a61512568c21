import { afterAll, expect, it, vi } from "vitest";
import { createUpstream } from "../../src/upstream/client.js";
import { http, startRawServer } from "./servers.js";

const upstream = createUpstream({ config: { secret: () => undefined } });
afterAll(() => upstream.close());

const inference = { call: "infer" as const, headers: {}, body: Buffer.from("{}") };
const limits = { timeoutMs: 5_000, responseBytesMax: 1024 };

it("sends on a connection that stood by", async () => {
  const server = await startRawServer((socket) => socket.write(http(200, "{}")));
  const endpoint = { url: server.url, model: "m", version: null, headers: {} };
  upstream.keepReady(endpoint, 2);
  upstream.keepReady(endpoint, 2);
  await vi.waitFor(() => expect(server.connections).toBe(2), { timeout: 30_000 });
  const answers = await Promise.all([1, 2].map(() => upstream.send(endpoint, inference, limits)));
  expect(answers.map(({ ok }) => ok)).toEqual([true, true]);
  expect(server.connections).toBe(2);
  await server.close();
});

it("opens a new one where the server has closed those that stood by, or spoken on them unasked", async () => {
  let greet = true;
  const server = await startRawServer((socket) => socket.write(http(200, '{"asked":true}')));
  const endpoint = { url: server.url, model: "m", version: null, headers: {} };
  server.onConnection((socket) => {
    if (!greet) return;
    if (server.connections === 1) socket.destroy();
    else socket.write(http(200, '{"asked":false}'));
  });
  upstream.keepReady(endpoint, 2);
  await vi.waitFor(() => expect(server.connections).toBe(2), { timeout: 30_000 });
  greet = false;
  await vi.waitFor(
    async () => {
      const answer = await upstream.send(endpoint, inference, limits);
      expect(answer.ok && answer.body.toString()).toBe('{"asked":true}');
    },
    { timeout: 30_000 },
  );
  await server.close();
});

it("says why when nothing can be reached", async () => {
  const server = await startRawServer(() => {});
  await server.close();
  const endpoint = { url: server.url, model: "m", version: null, headers: {} };
  upstream.keepReady(endpoint, 2);
  expect(await upstream.send(endpoint, inference, limits)).toMatchObject({ ok: false, failure: "network" });
});
