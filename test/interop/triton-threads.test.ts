import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digitsDir } from "../../src/paths.js";
import { type Child, startChild } from "../../src/process/child.js";
import { createStore, type Store } from "../../src/store/store.js";
import { startTestGateway, type TestGateway } from "../gateway/gateway.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { eventually } from "../support/product.js";
import { requirePython, runPython } from "./python.js";

const python = requirePython("tritonclient.http");
const models = { digits: "primary.onnx", small: "int8.onnx" };
const requests = 20_000;
const threads = 64;

let database: TestDatabase;
let store: Store;
let server: Child;
let gateway: TestGateway;
const ids = new Map<string, number>();

beforeAll(async () => {
  if (!python) return;
  database = await createTestDatabase();
  store = createStore(database.url);
  const args = Object.entries(models).flatMap(([name, file]) => [
    "--model",
    `${name}=${join(digitsDir, file)}`,
  ]);
  server = await startChild(["model-server", ...args, "--port", "0"], {
    env: { ...process.env, UNDERSTUDY_MODELS_DIR: digitsDir, UNDERSTUDY_LOG_LEVEL: "fatal" },
  });
  for (const name of Object.keys(models)) {
    const { id } = await store.registry.createDeployment({
      name,
      primary: { url: String(server.ready.url), model: name, version: null, headers: {} },
      control: null,
      sampleRate: 1,
      captureEnabled: true,
      policy: { outputs: {} },
    });
    ids.set(name, id);
  }
  gateway = await startTestGateway({ DATABASE_URL: database.url });
});
afterAll(async () => {
  await gateway?.remove();
  await server?.stop();
  await store?.close();
  await database?.drop();
});

test.runIf(python)(
  "64 threads, 20,000 requests of mixed kinds: each answer is the primary's own, and the ledger has every one",
  async () => {
    const hosts = [gateway.url, String(server.ready.url)].map((url) => new URL(url).host);
    const script = join(import.meta.dirname, "triton_threads.py");
    const args = [script, ...hosts, String(requests), String(threads), ...Object.keys(models)];
    const said = JSON.parse(await runPython(args, { timeoutMs: 540_000 }));
    expect(said.differed).toEqual([]);
    expect(said.asked).toBe(requests);
    for (const [model, fates] of Object.entries<Record<string, number>>(said.fates)) {
      const { captured, ...notEligible } = fates;
      const received = Object.values(fates).reduce((sum, count) => sum + count, 0);
      const ledger = await eventually(
        () => store.ledger.read(ids.get(model)!, { fromMs: null, toMs: null }),
        (now) => now.received === received && now.inFlight === 0 && now.buffered === 0,
        { withinMs: 60_000, everyMs: 100 },
      );
      expect(ledger).toMatchObject({ captured, notEligible, dropped: {}, lost: 0, balanced: true });
    }
  },
  600_000,
);
