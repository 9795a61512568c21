import { afterAll, beforeAll, expect, test } from "vitest";
import { createStore, type Store } from "../../src/store/store.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { eventually } from "../support/product.js";
import { startTestGateway, type TestGateway } from "./gateway.js";
import { echoModel, inferRequest, startUpstream, type TestUpstream } from "./upstream.js";

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

test("what does not fit between the threads is dropped as buffer_full; the client has its answer", async () => {
  const before = await store.ledger.read(deploymentId, all);
  const small = await startTestGateway({
    DATABASE_URL: database.url,
    UNDERSTUDY_BUFFER_BYTES: String(1024 ** 2),
  });
  const large = inferRequest(Array.from({ length: 400_000 }, (_, index) => index));
  expect(large.length).toBeGreaterThan(2 * 1024 ** 2);
  const post = (body: string) => fetch(`${small.url}/v2/models/m/infer`, { method: "POST", body });
  expect((await post(large)).status).toBe(200);
  expect((await post(inferRequest())).status).toBe(200);
  await small.remove();
  const after = await store.ledger.read(deploymentId, all);
  expect(after).toMatchObject({ dropped: { buffer_full: 1 }, balanced: true, buffered: 0 });
  expect(after.captured - before.captured).toBe(1);
});
