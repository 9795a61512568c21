import { randomBytes } from "node:crypto";
import { deflateSync, gzipSync } from "node:zlib";
import { Pool } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFileStore } from "../../src/blobs/file-store.js";
import type { Capture } from "../../src/capture/capture.js";
import { readSegment } from "../../src/capture/segment.js";
import { createStore, type Store } from "../../src/store/store.js";
import type { DeploymentChange } from "../../src/store/types.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseAt, onServer } from "../support/postgres.js";
import { eventually } from "../support/product.js";
import { startTestGateway, type TestGateway } from "./gateway.js";
import { bodyOf, echoModel, inferRequest, startUpstream, type TestUpstream } from "./upstream.js";
import { openRaw, send } from "./wire.js";

let database: TestDatabase;
let store: Store;
let upstream: TestUpstream;
let gateway: TestGateway;
const ids = new Map<string, number>();
const bodyBytesMax = 200_000;
const all = { fromMs: null, toMs: null };

async function deploy(name: string, change: DeploymentChange = {}): Promise<void> {
  const { id } = await store.registry.createDeployment({
    name,
    primary: { url: upstream.url, model: name, version: null, headers: {} },
    control: null,
    sampleRate: 1,
    captureEnabled: true,
    policy: { outputs: {} },
    ...change,
  });
  ids.set(name, id);
}

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore(database.url);
  upstream = await startUpstream((request, response) => {
    const path = request.url!;
    if (path.startsWith("/v2/models/hangs/")) return void request.resume();
    if (path.startsWith("/v2/models/resets/")) return void request.socket.resetAndDestroy();
    if (path.startsWith("/v2/models/large-answer/")) {
      response.writeHead(200, { "content-type": "application/octet-stream" });
      response.end(Buffer.alloc(bodyBytesMax + 1));
      return;
    }
    if (path.startsWith("/v2/models/refuses/")) {
      void bodyOf(request).then(() => {
        response.writeHead(500, { "content-type": "application/json" });
        response.end('{"error":"CUDA out of memory"}');
      });
      return;
    }
    echoModel(request, response);
  });
  const names = [
    "plain",
    "eligible",
    "off",
    "half",
    "none",
    "hangs",
    "resets",
    "refuses",
    "large",
    "large-answer",
  ];
  for (const name of names) {
    await deploy(name, {
      captureEnabled: name !== "off",
      sampleRate: { half: 0.5, none: 0 }[name] ?? 1,
    });
  }
  gateway = await startTestGateway({
    DATABASE_URL: database.url,
    UNDERSTUDY_BODY_BYTES_MAX: String(bodyBytesMax),
  });
});
afterAll(async () => {
  await gateway?.remove();
  await upstream?.close();
  await store?.close();
  await database?.drop();
});

const post = (model: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  send(gateway.port, { method: "POST", path: `/v2/models/${model}/infer`, body, headers });

const ledgerOf = (name: string) => store.ledger.read(ids.get(name)!, all);
const settled = (name: string, received: number) =>
  eventually(
    () => ledgerOf(name),
    (ledger) => ledger.received === received && ledger.inFlight === 0 && ledger.buffered === 0,
    { withinMs: 15_000, everyMs: 50 },
  );

async function segmentsOf(name: string): Promise<{ captures: Capture[] }[]> {
  const { rows } = await onServer(
    databaseAt(database.url, new URL(database.url).pathname.slice(1)),
    (client) => client.query("SELECT blob_key FROM segments WHERE deployment_id = $1", [ids.get(name)]),
  );
  const blobs = createFileStore(`${gateway.dataDir}/blobs`);
  return Promise.all(
    rows.map(async ({ blob_key }: { blob_key: string }) => {
      return { captures: await readSegment(await blobs.get(blob_key)) };
    }),
  );
}

test("a capture holds the exchange to the byte, its tags, the version that answered, and no credential", async () => {
  const body = inferRequest([1.5]);
  const beforeMs = Date.now();
  const answer = await send(gateway.port, {
    method: "POST",
    path: "/v2/models/plain/versions/3/infer?trace=1&token=hunter2-query",
    body,
    headers: {
      "Content-Type": "application/json",
      Authorization: "Bearer hunter2-token",
      Cookie: "session=hunter2-cookie",
      "X-Api-Key": "hunter2-key",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "X-Request-Id": "request-1",
    },
  });
  await settled("plain", 1);
  const [segment] = await segmentsOf("plain");
  const [capture] = segment!.captures;
  expect(capture).toMatchObject({
    deploymentId: ids.get("plain"),
    transport: "http",
    method: "POST",
    path: "/v2/models/plain/versions/3/infer",
    requestHeaders: { "content-type": "application/json" },
    status: 200,
    responseHeaders: { "content-type": "application/json" },
    primaryVersion: "7",
    sample: "base",
    tags: {
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "x-request-id": "request-1",
    },
  });
  expect(Object.keys(capture!.requestHeaders)).toEqual(["content-type"]);
  expect(Buffer.from(capture!.requestBody).toString()).toBe(body);
  expect(Buffer.from(capture!.responseBody).equals(answer.body)).toBe(true);
  expect(capture!.receivedAtMs).toBeGreaterThanOrEqual(beforeMs);
  expect(capture!.primaryMs).toBeGreaterThan(0);
  expect(JSON.stringify(capture)).not.toContain("hunter2");
});

describe("requests that could not be replayed are passed on, and counted as not eligible", () => {
  const shared = { shared_memory_region: "r", shared_memory_byte_size: 12 };
  const binaryInput = { name: "x", datatype: "FP32", shape: [2], parameters: { binary_data_size: 8 } };
  const head = JSON.stringify({ inputs: [binaryInput] });
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  const cases: [string, string | null, string | Buffer, Record<string, string>][] = [
    ["JSON", null, inferRequest(), {}],
    [
      "binary",
      null,
      Buffer.concat([Buffer.from(head), Buffer.alloc(8)]),
      { "Inference-Header-Content-Length": `${head.length}` },
    ],
    ["raw binary", null, Buffer.alloc(12), { "Inference-Header-Content-Length": "0" }],
    ["gzip", null, gzipSync(inferRequest()), { "Content-Encoding": "gzip" }],
    ["deflate", null, deflateSync(inferRequest()), { "Content-Encoding": "deflate" }],
    ["NaN", null, '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[NaN]}]}', {}],
    ["cut-off JSON", "parse", inferRequest().slice(0, -1), {}],
    ["brackets", "parse", "[".repeat(100_000), {}],
    ["__proto__ for inputs", "parse", '{"__proto__":{"inputs":[]}}', {}],
    ["no body", "parse", "", {}],
    ["header length -1", "framing", inferRequest(), { "Inference-Header-Content-Length": "-1" }],
    ["header length abc", "framing", inferRequest(), { "Inference-Header-Content-Length": "abc" }],
    [
      "header length beyond the body",
      "framing",
      inferRequest(),
      { "Inference-Header-Content-Length": "99999" },
    ],
    [
      "shared memory",
      "shared_memory",
      JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [3], parameters: shared }] }),
      {},
    ],
    [
      "sequence",
      "sequence",
      inferRequest([1], { parameters: { sequence_id: 42, sequence_start: true } }),
      {},
    ],
    ["unknown coding", "content_coding", inferRequest(), { "Content-Encoding": "br" }],
    [
      "nested codings",
      "content_coding",
      gzipSync(gzipSync(inferRequest())),
      { "Content-Encoding": "gzip, gzip" },
    ],
    ["not what the coding says", "content_coding", inferRequest(), { "Content-Encoding": "gzip" }],
    ["a bomb", "content_coding", bomb, { "Content-Encoding": "gzip" }],
  ];

  test("each as it should be", async () => {
    const expected: Record<string, number> = {};
    for (const [, reason, body, headers] of cases) {
      if (reason !== null) expected[reason] = (expected[reason] ?? 0) + 1;
      expect((await post("eligible", body, headers)).status).toBe(200);
    }
    const ledger = await settled("eligible", cases.length);
    expect(ledger.notEligible).toEqual(expected);
    const captured = cases.filter(([, reason]) => reason === null);
    expect(ledger).toMatchObject({ captured: captured.length, balanced: true });
    const captures = (await segmentsOf("eligible")).flatMap((segment) => segment.captures);
    const bodies = captures.map(({ requestBody }) => Buffer.from(requestBody).toString("base64")).sort();
    expect(bodies).toEqual(captured.map(([, , body]) => Buffer.from(body).toString("base64")).sort());
  });
});

describe("what is not captured is counted, by reason", () => {
  test("capture switched off: every request, and on again from the next poll", async () => {
    for (let index = 0; index < 5; index++) await post("off", inferRequest());
    expect((await settled("off", 5)).dropped).toEqual({ capture_off: 5 });
    await store.registry.updateDeployment("off", { captureEnabled: true });
    let received = 5;
    await eventually(
      async () => {
        await post("off", inferRequest());
        received += 1;
        return ledgerOf("off");
      },
      (ledger) => ledger.captured > 0,
      { withinMs: 15_000 },
    );
    expect((await settled("off", received)).balanced).toBe(true);
  });

  test("the coin: half of them, and none of them", async () => {
    const count = 400;
    for (let index = 0; index < count; index++) await post("half", inferRequest());
    for (let index = 0; index < 10; index++) await post("none", inferRequest());
    const half = await settled("half", count);
    expect(half.captured + half.sampledOut).toBe(count);
    // A fair coin leaves 150 to 250 with a probability of less than one in a million.
    expect(half.captured).toBeGreaterThan(150);
    expect(half.captured).toBeLessThan(250);
    expect(await settled("none", 10)).toMatchObject({ captured: 0, sampledOut: 10, balanced: true });
  });

  test("a client that goes away", async () => {
    const body = inferRequest();
    const head = `POST /v2/models/hangs/infer HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`;
    const raw = await openRaw(gateway.port, head + body);
    await eventually(async () => upstream.seen.some(({ url }) => url.includes("hangs")), Boolean, {
      everyMs: 20,
    });
    expect(
      await eventually(
        () => ledgerOf("hangs"),
        (ledger) => ledger.inFlight === 1,
      ),
    ).toMatchObject({ balanced: true });
    raw.socket.destroy();
    expect((await settled("hangs", 1)).dropped).toEqual({ client_abort: 1 });
  });

  test("a primary that gives no answer; one that answers 500 is captured like any", async () => {
    expect((await post("resets", inferRequest())).status).toBe(502);
    expect((await settled("resets", 1)).dropped).toEqual({ primary_failed: 1 });
    expect((await post("refuses", inferRequest())).status).toBe(500);
    expect(await settled("refuses", 1)).toMatchObject({ captured: 1, dropped: {} });
    const [segment] = await segmentsOf("refuses");
    expect(segment!.captures[0]).toMatchObject({ status: 500, primaryVersion: "" });
  });

  test("bodies over the limit, told beforehand or not", async () => {
    const large = randomBytes(bodyBytesMax + 1);
    expect((await post("large", large)).status).toBe(200);
    expect((await post("large", large, { "Transfer-Encoding": "chunked" })).status).toBe(200);
    expect((await post("large-answer", inferRequest())).body.length).toBe(bodyBytesMax + 1);
    expect((await settled("large", 2)).dropped).toEqual({ too_large: 2 });
    expect((await settled("large-answer", 1)).dropped).toEqual({ too_large: 1 });
  });
});

test("100,000 models that no deployment names pass through uncaptured, and leave no trace in the metrics' labels", async () => {
  const labels = async () => {
    const text = await (await fetch(gateway.metrics)).text();
    const lines = text.split("\n").filter((line) => line.startsWith("understudy_"));
    return { text, lines: lines.length };
  };
  const before = await labels();
  const names = 100_000;
  const pool = new Pool(`http://127.0.0.1:${gateway.port}`, { connections: 16 });
  let next = 0;
  const client = async () => {
    while (next < names) {
      const { statusCode, body } = await pool.request({
        method: "GET",
        path: `/v2/models/unknown-${next++}/ready`,
      });
      await body.dump();
      expect(statusCode).toBe(200);
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  await pool.close();
  const after = await labels();
  expect(after.text).not.toContain("unknown-");
  const passed = /understudy_gateway_requests_total\{deployment="",code="2xx"\} (\d+)/.exec(after.text);
  expect(Number(passed?.[1])).toBeGreaterThanOrEqual(names);
  expect(after.text).toMatch(
    /understudy_capture_outcomes_total\{deployment="large",outcome="dropped",reason="too_large"\} 2/,
  );
  expect(after.text).toMatch(/understudy_gateway_primary_duration_seconds_count\{deployment="half"\} 400/);
  expect(after.lines - before.lines).toBeLessThanOrEqual(1);
}, 240_000);

test("everything of a deployment but its infer calls is passed on and not counted", async () => {
  const before = (await ledgerOf("plain")).received;
  for (const path of [
    "/v2/models/plain",
    "/v2/models/plain/ready",
    "/v2/models/plain/infer",
    "/v2",
    "/v2/models/plain/infers",
  ]) {
    const answer = await send(gateway.port, { path });
    expect(answer.status).toBe(200);
  }
  await post("plain", inferRequest());
  expect((await settled("plain", before + 1)).received).toBe(before + 1);
});

test("a model's name may be written with escapes", async () => {
  await deploy("caf\u00e9 model");
  await eventually(
    async () => {
      await post("caf%C3%A9%20model", inferRequest());
      return ledgerOf("caf\u00e9 model");
    },
    (ledger) => ledger.captured > 0,
    { withinMs: 15_000 },
  );
});
