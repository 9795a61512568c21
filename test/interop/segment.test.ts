import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keyedHash } from "../../src/redaction/keyed-hash.js";
import { parseRedaction } from "../../src/redaction/settings.js";
import { echoModel } from "../gateway/upstream.js";
import { type GatewayWorld, openGatewayWorld } from "../gateway/world.js";
import { requirePython, runPython } from "./python.js";

const python = requirePython("pandas", "pyarrow");
const key = "a-redaction-key-of-forty-characters-or-so";
const largeBytes = 2_000;

interface Opened {
  columns: string[];
  dtypes: Record<string, string>;
  nulls: number;
  rows: {
    id: string;
    receivedAtMs: number;
    path: string;
    status: number;
    requestBytes: number;
    request: { inputs: { data: unknown[] }[] } | null;
    response: unknown;
    requestHeaders: Record<string, string>;
    tags: Record<string, string>;
    redacted: string[];
    subject: string;
    requestBodySha256: string;
  }[];
}

let world: GatewayWorld;
beforeAll(async () => {
  world = await openGatewayWorld({
    primary: echoModel,
    env: { UNDERSTUDY_REDACTION_KEY: key, UNDERSTUDY_LARGE_BODY_BYTES: String(largeBytes) },
    deployments: {
      private: {
        redaction: parseRedaction({
          rules: [{ target: { input: "text" }, action: "mask" }],
          subject: { header: "x-user" },
        }),
      },
    },
  });
});
afterAll(() => world?.close());

const requestOf = (text: string, numbers: number) =>
  JSON.stringify({
    inputs: [
      { name: "text", datatype: "BYTES", shape: [1], data: [text] },
      { name: "x", datatype: "FP32", shape: [numbers], data: Array.from({ length: numbers }, () => 0.5) },
    ],
  });

test.runIf(python)("pandas opens segments, and finds the requests with what was redacted gone", async () => {
  const from = Date.now();
  const headers = { "x-user": "ada@example.org", "x-request-id": "r-1", authorization: "Bearer hunter2" };
  await world.post("private", requestOf("hunter2", 3), headers);
  // The same but for what is redacted: stored once.
  for (const text of ["hunter2-a", "hunter2-b"]) await world.post("private", requestOf(text, 2_000), {});
  await world.settled("private", 3);

  const blobs = join(world.gateway.dataDir, "blobs");
  const opened = JSON.parse(await runPython([join(import.meta.dirname, "segment.py"), blobs])) as Opened;
  const documented = await readFile(join(import.meta.dirname, "../../docs/segments.md"), "utf8");
  for (const column of opened.columns) expect(documented).toContain(`\`${column}\``);
  expect(opened.nulls).toBe(0);
  expect(opened.dtypes.received_at).toMatch(/^datetime64/);
  expect(opened.dtypes.primary_ms).toBe("float64");

  const [first, ...large] = opened.rows;
  expect(first).toMatchObject({
    path: "/v2/models/private/infer",
    status: 200,
    request: { inputs: [{ data: ["[redacted]"] }, { data: [0.5, 0.5, 0.5] }] },
    response: { model_version: "7" },
    tags: { "x-request-id": "r-1" },
    redacted: ["input:text"],
    subject: keyedHash(key, world.ids.get("private")!).subject("ada@example.org"),
  });
  expect(first!.receivedAtMs).toBeGreaterThanOrEqual(from);
  expect(first!.requestBodySha256).toBe("");

  expect(large.map(({ requestBytes, subject }) => [requestBytes, subject])).toEqual([
    [0, ""],
    [0, ""],
  ]);
  const [sha256, other] = large.map((row) => row.requestBodySha256);
  expect(other).toBe(sha256);
  const day = new Date(large[0]!.receivedAtMs).toISOString().slice(0, 10);
  const body = await readFile(join(blobs, "bodies", String(world.ids.get("private")), day, sha256!));
  expect(createHash("sha256").update(body).digest("hex")).toBe(sha256);
  expect(JSON.parse(body.toString()).inputs[0].data).toEqual(["[redacted]"]);
});
