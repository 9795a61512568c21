import { afterAll, beforeAll, expect, test } from "vitest";
import { createStore, type Store } from "../../src/store/store.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { eventually } from "../support/product.js";
import { startTestGateway, type TestGateway } from "./gateway.js";
import { echoModel, inferRequest, startUpstream, type TestUpstream } from "./upstream.js";
import { openRaw } from "./wire.js";

let database: TestDatabase;
let store: Store;
let upstream: TestUpstream;
let gateway: TestGateway;
let deploymentId: number;

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore(database.url);
  upstream = await startUpstream(echoModel);
  const endpoint = { url: upstream.url, model: "m", version: null, headers: {} };
  const deployment = await store.registry.createDeployment({
    name: "m",
    primary: endpoint,
    control: null,
    sampleRate: 1,
    captureEnabled: true,
    policy: { outputs: {} },
  });
  deploymentId = deployment.id;
  gateway = await startTestGateway({ DATABASE_URL: database.url });
});
afterAll(async () => {
  await gateway?.remove();
  await upstream?.close();
  await store?.close();
  await database?.drop();
});

const all = { fromMs: null, toMs: null };
const infer = (body: string, headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}/v2/models/m/infer`, { method: "POST", body, headers });

test("what is sent is captured, and the ledger balances at every read under traffic", async () => {
  const total = 2_000;
  let sent = 0;
  let reading = true;
  const ledgers: { received: number; balanced: boolean }[] = [];
  const reader = (async () => {
    while (reading) {
      ledgers.push(await store.ledger.read(deploymentId, all));
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  })();
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (sent < total) {
        sent += 1;
        const response = await infer(inferRequest([sent]));
        expect(response.status).toBe(200);
        await response.text();
      }
    }),
  );
  const last = await eventually(
    () => store.ledger.read(deploymentId, all),
    (ledger) => ledger.captured === total,
    { withinMs: 20_000 },
  );
  reading = false;
  await reader;
  expect(last).toMatchObject({ received: total, inFlight: 0, buffered: 0, lost: 0, balanced: true });
  expect(ledgers.length).toBeGreaterThan(10);
  expect(ledgers.filter((ledger) => !ledger.balanced)).toEqual([]);
  expect(new Set(ledgers.map((ledger) => ledger.received)).size).toBeGreaterThan(3);
});

test("what does not fit into memory is dropped as buffer_full; the client has its answer", async () => {
  const before = await store.ledger.read(deploymentId, all);
  const small = await startTestGateway({
    DATABASE_URL: database.url,
    UNDERSTUDY_BUFFER_BYTES: String(1024 ** 2),
    UNDERSTUDY_BODY_BYTES_MAX: String(1024 ** 2 / 4),
  });
  const body = inferRequest().padEnd(240_000);
  const head = `POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`;
  // Five of them under way at once are more than the memory for four.
  const clients = await Promise.all(
    Array.from({ length: 5 }, () => openRaw(small.port, head + body.slice(0, -1))),
  );
  const received = async () => {
    const metrics = await (await fetch(small.metrics)).text();
    return Number(/body_bytes_total\{deployment="m",direction="request"\} (\d+)/.exec(metrics)?.[1] ?? 0);
  };
  await eventually(received, (bytes) => bytes === 5 * (body.length - 1), { withinMs: 10_000, everyMs: 20 });
  for (const { socket, received } of clients) {
    socket.write(body.slice(-1));
    await eventually(
      async () => received(),
      (text) => text.endsWith("}"),
      { withinMs: 30_000, everyMs: 5 },
    );
    expect(received()).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  }
  await small.remove();
  const after = await store.ledger.read(deploymentId, all);
  expect(after).toMatchObject({ dropped: { buffer_full: 1 }, balanced: true, buffered: 0 });
  expect(after.captured - before.captured).toBe(4);
});
