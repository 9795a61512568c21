import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFileStore } from "../../src/blobs/file-store.js";
import { readSegment } from "../../src/capture/segment.js";
import { createStore, type Store } from "../../src/store/store.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { onServer } from "../support/postgres.js";
import { eventually } from "../support/product.js";
import { startTestGateway, type TestGateway } from "./gateway.js";
import { bodyOf, startUpstream, type TestUpstream } from "./upstream.js";
import { openRaw, send } from "./wire.js";

let database: TestDatabase;
let store: Store;
let upstream: TestUpstream;
let other: TestUpstream;
let gateway: TestGateway;
const ids = new Map<string, number>();
/** Event streams that wait for what the test wants sent. */
let streams: ServerResponse[] = [];

const answers: [RegExp, string][] = [
  [/\/generate$/, '{"model_name":"m","model_version":"5","text_output":"yes"}'],
  [/:predict$/, '{"predictions":[[0.25,0.75]]}'],
];

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore(database.url);
  upstream = await startUpstream((request, response) => {
    void bodyOf(request).then(() => {
      const path = request.url!;
      if (path.endsWith("/generate_stream")) {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.flushHeaders();
        streams.push(response);
        return;
      }
      const answer = answers.find(([form]) => form.test(path))?.[1];
      response.writeHead(200, { "content-type": "application/json", "x-from": "first" });
      response.end(answer ?? JSON.stringify({ path }));
    });
  });
  other = await startUpstream((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/json", "x-from": "second" }).end("{}");
  });
  const urls = { llm: upstream.url, sk: upstream.url, cut: upstream.url, elsewhere: other.url };
  for (const [name, url] of Object.entries(urls)) {
    const { id } = await store.registry.createDeployment({
      name,
      primary: { url, model: name, version: null, headers: {} },
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
  await upstream?.close();
  await other?.close();
  await store?.close();
  await database?.drop();
});

const settled = (name: string, received: number) =>
  eventually(
    () => store.ledger.read(ids.get(name)!, { fromMs: null, toMs: null }),
    (ledger) => ledger.received === received && ledger.inFlight === 0 && ledger.buffered === 0,
    { withinMs: 15_000, everyMs: 50 },
  );

async function capturesOf(name: string) {
  const { rows } = await onServer(database.url, (client) =>
    client.query("SELECT blob_key FROM segments WHERE deployment_id = $1", [ids.get(name)]),
  );
  const blobs = createFileStore(`${gateway.dataDir}/blobs`);
  const segments = await Promise.all(
    rows.map(async ({ blob_key }: { blob_key: string }) => readSegment(await blobs.get(blob_key))),
  );
  return segments.flat().sort((a, b) => a.sequence - b.sequence);
}

const until = <T>(read: () => T, good: (value: T) => boolean) =>
  eventually(async () => read(), good, { withinMs: 30_000, everyMs: 5 });

const generateHead = (model: string, body: string) =>
  `POST /v2/models/${model}/generate_stream HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${body.length}\r\n\r\n${body}`;

describe("generate_stream", () => {
  test("each event arrives before the next is sent, its head before any, and the whole is captured", async () => {
    streams = [];
    const raw = await openRaw(gateway.port, generateHead("llm", '{"text_input":"hi"}'));
    await until(
      () => raw.received(),
      (text) => text.includes("text/event-stream"),
    );
    expect(raw.received()).not.toContain("data:");
    const stream = streams[0]!;
    const pieces = ["Hel", "lo ", "there"];
    for (const text_output of pieces) {
      // The next is not sent until this one is there: nothing can have waited for it.
      stream.write(`data: ${JSON.stringify({ model_version: "4", text_output })}\n\n`);
      await until(
        () => raw.received(),
        (text) => text.includes(`"${text_output}"`),
      );
    }
    stream.end();
    await until(
      () => raw.received(),
      (text) => text.endsWith("0\r\n\r\n"),
    );
    raw.socket.destroy();

    expect(await settled("llm", 1)).toMatchObject({
      captured: 1,
      dropped: {},
      notEligible: {},
      balanced: true,
    });
    const [capture] = await capturesOf("llm");
    expect(capture).toMatchObject({ path: "/v2/models/llm/generate_stream", primaryVersion: "4" });
    expect(Buffer.from(capture!.responseBody).toString()).toBe(
      pieces.map((text) => `data: {"model_version":"4","text_output":"${text}"}\n\n`).join(""),
    );
  });

  test("a client that goes away in the middle ends the primary's stream", async () => {
    streams = [];
    const raw = await openRaw(gateway.port, generateHead("cut", '{"text_input":"hi"}'));
    await until(
      () => streams.length,
      (count) => count === 1,
    );
    const stream = streams[0]!;
    stream.write("data: {}\n\n");
    await until(
      () => raw.received(),
      (text) => text.includes("data: {}"),
    );
    expect(stream.destroyed).toBe(false);
    raw.socket.destroy();
    await until(
      () => stream.destroyed,
      (is) => is,
    );
    expect(stream.writableFinished).toBe(false);
    expect(await settled("cut", 1)).toMatchObject({ captured: 0, dropped: { client_abort: 1 } });
  });
});

test("generate and :predict are captured as inferences; what a JSON object is not, is passed on and not eligible", async () => {
  const post = (path: string, body: string) => send(gateway.port, { method: "POST", path, body });
  const requests: [string, string][] = [
    ["/v1/models/sk:predict", '{"instances":[[1,2]]}'],
    ["/v2/models/sk/generate", '{"text_input":"hi"}'],
    ["/v2/models/sk/versions/2/generate", '{"text_input":"hi"}'],
  ];
  for (const [path, body] of requests) expect((await post(path, body)).status).toBe(200);
  expect((await post("/v1/models/sk:predict", "[1,2]")).body.toString()).toBe(
    '{"predictions":[[0.25,0.75]]}',
  );
  expect((await post("/v2/models/sk/generate", '{"parameters":{"sequence_id":9}}')).status).toBe(200);

  expect(await settled("sk", 5)).toMatchObject({
    captured: 3,
    notEligible: { parse: 1, sequence: 1 },
    balanced: true,
  });
  const captures = await capturesOf("sk");
  expect(captures.map(({ path, primaryVersion }) => [path, primaryVersion])).toEqual([
    ["/v1/models/sk:predict", ""],
    ["/v2/models/sk/generate", "5"],
    ["/v2/models/sk/versions/2/generate", "5"],
  ]);
});

test.each([
  ["GET", "/v2", "first"],
  ["GET", "/v2/health/live", "first"],
  ["GET", "/v2/health/ready", "first"],
  ["GET", "/v2/models/elsewhere", "second"],
  ["GET", "/v2/models/elsewhere/versions/1/config", "second"],
  ["GET", "/v2/models/elsewhere/ready", "second"],
  ["GET", "/v2/models/elsewhere/stats", "second"],
  ["POST", "/v2/models/elsewhere/trace/setting", "second"],
  ["GET", "/v2/models/nobodys", "first"],
  ["POST", "/v2/repository/index", "first"],
  ["POST", "/v2/repository/models/elsewhere/load", "first"],
  ["GET", "/v2/trace/setting", "first"],
  ["GET", "/v2/systemsharedmemory/status", "first"],
  ["GET", "/v1/models/elsewhere", "second"],
  ["GET", "/v2/models/elsewhere/infer", "second"],
])("%s %s goes to the %s primary, and is no inference", async (method, path, from) => {
  const answer = await send(gateway.port, { method, path });
  expect(answer.rawHeaders.slice(answer.rawHeaders.indexOf("x-from")).at(1)).toBe(from);
  expect((from === "first" ? upstream : other).seen.at(-1)).toMatchObject({ method, url: path });
  const ledger = await store.ledger.read(ids.get("elsewhere")!, { fromMs: null, toMs: null });
  expect(ledger.received).toBe(0);
});
