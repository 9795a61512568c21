import { afterAll, beforeAll, expect, test } from "vitest";
import { createStore, type Store } from "../../src/store/store.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { eventually } from "../support/product.js";
import { startTestGateway, type TestGateway } from "./gateway.js";
import { startUpstream, type TestUpstream } from "./upstream.js";
import { openRaw, send } from "./wire.js";

let database: TestDatabase;
let store: Store;
let upstream: TestUpstream;
let gateway: TestGateway;
const ids = new Map<string, number>();

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore(database.url);
  // Says what it was sent, so that an answer proves what arrived.
  upstream = await startUpstream((request, response) => {
    if (request.url!.startsWith("/v2/models/hangs/")) return void request.resume();
    if (request.url!.startsWith("/v2/models/stalls/")) {
      response.writeHead(200, { "content-length": "100" });
      response.write("begin");
      return void request.resume();
    }
    request.pipe(response);
  });
  for (const name of ["odd", "hangs", "stalls"]) {
    const { id } = await store.registry.createDeployment({
      name,
      primary: { url: upstream.url, model: name, version: null, headers: {} },
      control: null,
      sampleRate: 1,
      captureEnabled: true,
      policy: { outputs: {} },
    });
    ids.set(name, id);
  }
  gateway = await startTestGateway({
    DATABASE_URL: database.url,
    UNDERSTUDY_GATEWAY_PRIMARY_ANSWER_MS: "200",
    UNDERSTUDY_GATEWAY_PRIMARY_SILENCE_MS: "200",
  });
});
afterAll(async () => {
  await gateway?.remove();
  await upstream?.close();
  await store?.close();
  await database?.drop();
});

const settled = (name: string, received: number) =>
  eventually(
    () => store.ledger.read(ids.get(name)!, { fromMs: null, toMs: null }),
    (ledger) => ledger.received === received && ledger.inFlight === 0 && ledger.buffered === 0,
    { withinMs: 15_000, everyMs: 50 },
  );

const lengthHeader = (value: string) => ({ "Inference-Header-Content-Length": value });
const fine = '{"inputs":[]}';

test("odd bodies reach the primary as they are, and are not eligible for what they are", async () => {
  const odd: [body: string, headers?: Record<string, string>][] = [
    ["{"],
    ['{"inputs":[],"inputs":[]}'],
    ['{"__proto__":{"inputs":[]},"inputs":[]}'],
    ["[".repeat(2_000_000)],
    [fine, lengthHeader("-1")],
    [fine, lengthHeader("twelve")],
    [fine, lengthHeader("14")],
    [fine, lengthHeader("1e1")],
  ];
  for (const [body, headers] of odd) {
    const answer = await send(gateway.port, { method: "POST", path: "/v2/models/odd/infer", body, headers });
    expect(answer.status).toBe(200);
    expect(answer.body.equals(Buffer.from(body))).toBe(true);
    const { rawHeaders } = upstream.seen.at(-1)!;
    for (const value of Object.values(headers ?? {})) expect(rawHeaders).toContain(value);
  }
  expect(await settled("odd", odd.length)).toMatchObject({
    captured: 0,
    notEligible: { parse: 4, framing: 4 },
    dropped: {},
    balanced: true,
  });
});

test("a primary that does not answer in time is a 504, asked once; one that falls silent breaks off", async () => {
  const before = upstream.seen.length;
  const answer = await send(gateway.port, { method: "POST", path: "/v2/models/hangs/infer", body: fine });
  expect(answer.status).toBe(504);
  expect(JSON.parse(answer.body.toString())).toEqual({ error: expect.stringContaining("primary") });
  const raw = await openRaw(
    gateway.port,
    `POST /v2/models/stalls/infer HTTP/1.1\r\nHost: h\r\nContent-Length: ${fine.length}\r\n\r\n${fine}`,
  );
  await raw.closed;
  expect(raw.received()).toMatch(/^HTTP\/1\.1 200[\s\S]*begin$/);
  expect(upstream.seen.length - before).toBe(2);
  for (const name of ["hangs", "stalls"]) {
    expect(await settled(name, 1)).toMatchObject({ captured: 0, dropped: { primary_failed: 1 } });
  }
});
