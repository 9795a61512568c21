import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../src/process/free-port.js";
import { inferRequest } from "../gateway/upstream.js";
import { answer } from "../replay/support.js";
import { proof } from "./seed.js";
import { type Act, openStage, type Servers, startServers, untilAnswered } from "./world.js";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers.close());

const json = { "content-type": "application/json" };
const says =
  (body: string | Buffer, headers: Record<string, string> = json): Act =>
  (_, response) => {
    response.writeHead(200, headers);
    response.end(body);
  };
const status =
  (code: number): Act =>
  (_, response) => {
    response.writeHead(code, json);
    response.end('{"error":"no"}');
  };
const output = (over: object) =>
  JSON.stringify({
    model_name: "m",
    model_version: "1",
    outputs: [{ name: "y", datatype: "FP32", shape: [1, 1], data: [1], ...over }],
  });

/** What ends a request as a failure of the candidate. `endless`: more than the cap, for as long as anybody reads. */
const failing: [name: string, act: Act, reason: string, attempts: number][] = [
  ["silence before the head", () => {}, "timeout", 1],
  [
    "silence in the midst of the body",
    (_, response) => {
      response.writeHead(200, { ...json, "content-length": "1000" });
      response.write("{");
    },
    "timeout",
    1,
  ],
  ["a reset", (_, response) => void response.socket!.resetAndDestroy(), "network", 1],
  ["status 500", status(500), "http_5xx", 1],
  ["status 429", status(429), "throttled", 3],
  ["status 503", status(503), "throttled", 3],
  ["what is not HTTP", (_, response) => void response.socket!.end("garbage\r\n\r\n"), "protocol_error", 1],
  [
    "an answer without end",
    (_, response) => {
      response.writeHead(200, json);
      const piece = Buffer.alloc(64 * 1024, 32);
      const more = () => {
        while (!response.destroyed && response.write(piece));
      };
      response.on("drain", more);
      more();
    },
    "too_large",
    1,
  ],
  [
    "two gigabytes announced",
    (_, response) => {
      response.writeHead(200, { ...json, "content-length": String(2 * 1024 ** 3) });
      response.write("{");
    },
    "too_large",
    1,
  ],
];

/** What is an answer, and must never count as a match. */
const differing: [name: string, act: Act, kind: string][] = [
  ["JSON that is none", says("{]"), "undecodable"],
  [
    "binary that ends too soon",
    says(Buffer.concat([Buffer.from(binaryHead(400)), Buffer.alloc(8)]), binaryHeaders(400)),
    "undecodable",
  ],
  [
    "a header's length beyond the body",
    says("{}", { "content-type": "application/octet-stream", "inference-header-content-length": "99999" }),
    "undecodable",
  ],
  ["dims that overflow", says(output({ shape: [4_294_967_296, 4_294_967_296] })), "undecodable"],
  ["another datatype", says(output({ datatype: "FP64" })), "dtype"],
  ["another shape", says(output({ shape: [1] })), "shape"],
  ["no output", says(JSON.stringify({ model_name: "m", outputs: [] })), "missing_output"],
  ["NaN", says(output({}).replace("[1]}", "[NaN]}")), "non_finite"],
  ["infinity", says(output({}).replace("[1]}", "[-Infinity]}")), "non_finite"],
  ["an empty tensor", says(output({ shape: [1, 0], data: [] })), "shape"],
  ["a scalar", says(output({ shape: [] })), "shape"],
  ["another value", says(answer(-1)), "value"],
];

function binaryHead(bytes: number): string {
  return JSON.stringify({
    model_name: "m",
    outputs: [{ name: "y", datatype: "FP32", shape: [1, 1], parameters: { binary_data_size: bytes } }],
  });
}

function binaryHeaders(bytes: number): Record<string, string> {
  return {
    "content-type": "application/octet-stream",
    "inference-header-content-length": String(binaryHead(bytes).length),
  };
}

const env = { UNDERSTUDY_REPLAY_TIMEOUT_MS: "3000", UNDERSTUDY_BODY_BYTES_MAX: String(1024 ** 2) };

test("rows 12, 13 and 15: each failure under its name, the other candidate unaffected", async () => {
  const met = new Map<string, number>();
  const stage = await openStage(servers, {
    candidate: (received, response) => {
      const [name, act] = failing[received.x % failing.length]!;
      met.set(name, (met.get(name) ?? 0) + 1);
      act(received, response);
    },
  });
  await stage.addCandidate("sound", stage.primary.url);
  const gateway = await stage.start("gateway");
  const load = stage.load(gateway, 1, 0);
  await untilAnswered(load, failing.length);
  await load.stop();
  await stage.until(({ captured }) => captured === load.answered);
  const worker = await stage.start("worker", env);
  const memory = watchMemory(worker.child.process.pid!);
  const { faults, ledger } = await stage.settled();
  const mostMiB = memory.stop() >> 20;
  for (const [name] of failing) proof(12, `${name}: met ${met.get(name)} times`);
  proof(15, `the worker's memory was ${mostMiB} MiB at most`);
  expect(faults).toEqual([]);
  expect(mostMiB).toBeLessThan(500);
  expect(ledger.candidates.sound).toMatchObject({ compared: load.answered, candidateError: {} });
  const rows = await stage.query<{ reason: string; attempts: number; result: string }>(
    `SELECT o.reason, o.attempts, o.result FROM outcomes o WHERE o.run_id = ${stage.runId} ORDER BY captured_at, capture_id`,
  );
  const seen = new Set(rows.map(({ reason, attempts }) => `${reason} ${attempts}`));
  expect(seen).toEqual(new Set(failing.map(([, , reason, attempts]) => `${reason} ${attempts}`)));
  expect(rows.filter(({ result }) => result === "match")).toEqual([]);
});

test("row 13: a candidate that refuses, and one that is there later", async () => {
  const stage = await openStage(servers);
  const port = await freePort("127.0.0.1");
  await stage.addCandidate("refusing", `http://127.0.0.1:${port}`);
  const gateway = await stage.start("gateway");
  // Fewer than open its breaker: as many as a load happens to send would leave it alone, and nothing would end.
  const requests = 3;
  for (let x = 1; x <= requests; x++) {
    const url = `${gateway.child.ready.url}/v2/models/m/infer`;
    expect((await fetch(url, { method: "POST", body: inferRequest([x]) })).status).toBe(200);
  }
  await stage.until(({ captured }) => captured === requests);
  await stage.start("worker", env);
  const { faults, ledger } = await stage.settled();
  expect(faults).toEqual([]);
  const { attempts } = (
    await stage.query<{ attempts: number }>("SELECT attempts FROM outcomes WHERE reason = 'network' LIMIT 1")
  )[0]!;
  proof(13, `a refused connection was tried ${attempts} times`);
  expect(attempts).toBe(3);
  expect(ledger.candidates.refusing?.candidateError).toEqual({ network: requests });
});

test("rows 14 and 16: each difference under its kind", async () => {
  const stage = await openStage(servers, {
    primary: says(answer(1)),
    candidate: (received, response) => differing[received.x % differing.length]![1](received, response),
  });
  const gateway = await stage.start("gateway");
  const load = stage.load(gateway, 1, 0);
  await untilAnswered(load, differing.length);
  await load.stop();
  await stage.until(({ captured }) => captured === load.answered);
  await stage.start("worker", env);
  const { faults } = await stage.settled();
  expect(faults).toEqual([]);
  const rows = await stage.query<{ kind: string; result: string; x: number }>(
    "SELECT kind, result FROM outcomes ORDER BY captured_at, capture_id",
  );
  const wanted = new Set(differing.map(([, , kind]) => kind));
  proof(16, `${rows.length} outcomes of kinds ${[...new Set(rows.map(({ kind }) => kind))].join(", ")}`);
  expect(rows.filter(({ result }) => result !== "mismatch")).toEqual([]);
  expect(new Set(rows.map(({ kind }) => kind))).toEqual(wanted);
});

function watchMemory(pid: number): { stop(): number } {
  let most = 0;
  const timer = setInterval(async () => {
    const text = await readFile(`/proc/${pid}/statm`, "utf8").catch(() => "0 0");
    most = Math.max(most, Number(text.split(" ")[1]) * 4096);
  }, 100);
  return {
    stop: () => {
      clearInterval(timer);
      return most;
    },
  };
}
