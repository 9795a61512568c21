import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keyedHash } from "../../src/redaction/keyed-hash.js";
import { noRedaction, parseRedaction } from "../../src/redaction/settings.js";
import type { GatewayConfig, NewDeployment } from "../../src/store/types.js";
import { databaseAt, onServer } from "../support/postgres.js";
import { eventually } from "../support/product.js";
import { startTestGateway } from "./gateway.js";
import { bodyOf, startUpstream } from "./upstream.js";
import { send } from "./wire.js";
import { type GatewayWorld, openGatewayWorld } from "./world.js";

const key = "a-redaction-key-of-forty-characters-or-so";
const secret = "hunter2";
const redacted = (redaction: object): Partial<NewDeployment> => ({ redaction: parseRedaction(redaction) });
const rule = (target: object, action: unknown) => ({ target, action });

const thorough = {
  rules: [
    rule({ input: "text" }, "mask"),
    rule({ output: "label" }, "hash"),
    rule({ parameter: "user" }, "drop"),
    rule({ json: "$.id" }, { truncate: 0 }),
    rule({ header: "x-request-id" }, "hash"),
  ],
  subject: { header: "x-user" },
};

/** A request that says its secret wherever a request can, and a primary that says it back. */
const requestOf = (text = secret) =>
  JSON.stringify({
    id: `${secret}-id`,
    parameters: { user: `${secret}-user` },
    inputs: [
      { name: "text", datatype: "BYTES", shape: [1], data: [text], parameters: { user: `${secret}-own` } },
      { name: "x", datatype: "FP32", shape: [1], data: [1.5] },
    ],
  });

/** What requests with `x-hold` are answered after. */
let letGo: () => void;
const held = new Promise<void>((resolve) => {
  letGo = resolve;
});

let world: GatewayWorld;
beforeAll(async () => {
  world = await openGatewayWorld({
    env: { UNDERSTUDY_REDACTION_KEY: key, UNDERSTUDY_BODY_BYTES_MAX: "200000" },
    deployments: {
      thorough: redacted(thorough),
      compressed: redacted(thorough),
      plain: {},
      quotes: redacted(thorough),
      failing: redacted({ rules: [rule({ input: "x" }, "hash")] }),
      closed: redacted({ rules: [rule({ input: "text" }, "mask")] }),
      changed: {},
      moves: redacted({ subject: { header: "x-user" } }),
    },
    primary: (request, response) => {
      void bodyOf(request).then(async () => {
        if (request.headers["x-hold"] !== undefined) await held;
        const outputs = [{ name: "label", datatype: "BYTES", shape: [1], data: [`${secret}-answer`] }];
        const failed = request.url!.includes("/quotes/");
        response.writeHead(failed ? 400 : 200, { "content-type": "application/json", "set-cookie": secret });
        response.end(
          JSON.stringify(
            failed ? { error: `cannot read ${secret}` } : { model_name: "m", model_version: "7", outputs },
          ),
        );
      });
    },
  });
});
afterAll(() => world?.close());

const headers = {
  authorization: `Bearer ${secret}`,
  cookie: `session=${secret}`,
  "x-user": `${secret}@example.org`,
  "x-request-id": `${secret}-request`,
};

/** Every file under a folder that holds the text, and how many were looked into. */
async function filesWith(text: string, folder: string): Promise<{ found: string[]; looked: string[] }> {
  const looked = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const found: string[] = [];
  for (const path of looked) if ((await readFile(path)).includes(text)) found.push(path);
  return { found, looked };
}

/** The rows of a deployment's captures as text. */
async function rowsOf(name: string): Promise<{ text: string; redacted: string[]; subject: string | null }[]> {
  const url = databaseAt(world.database.url, new URL(world.database.url).pathname.slice(1));
  const { rows } = await onServer(url, (client) =>
    client.query("SELECT c::text AS text, redacted, subject FROM captures c WHERE deployment_id = $1", [
      world.ids.get(name),
    ]),
  );
  return rows;
}

test("what the rules name is in no file and no row, and the client sees nothing of it", async () => {
  const answer = await world.post("thorough", requestOf(), headers);
  expect(answer.body.toString()).toContain(`${secret}-answer`);
  await world.settled("thorough", 1);
  const [capture] = await world.capturesOf("thorough");
  const id = world.ids.get("thorough")!;
  const request = JSON.parse(Buffer.from(capture!.requestBody).toString());
  expect(request).toEqual({
    id: "",
    parameters: {},
    inputs: [
      { name: "text", datatype: "BYTES", shape: [1], data: ["[redacted]"], parameters: {} },
      { name: "x", datatype: "FP32", shape: [1], data: [1.5] },
    ],
  });
  const hash = keyedHash(key, id);
  const [label] = JSON.parse(Buffer.from(capture!.responseBody).toString()).outputs;
  expect(label.data).toEqual([hash.value(`${secret}-answer`)]);
  expect(capture!.tags).toEqual({ "x-request-id": hash.value(`${secret}-request`) });
  expect(capture!.primaryVersion).toBe("7");
  expect(capture!.subject).toBe(hash.subject(`${secret}@example.org`));
  const words = ["header:x-request-id", "input:text", "parameter:user", "json:$.id", "output:label"];
  expect(capture!.redacted).toEqual(words);
  const [row] = await rowsOf("thorough");
  expect(row).toMatchObject({ redacted: words, subject: capture!.subject });
  expect(row!.text).not.toContain(secret);
});

test("a compressed request is stored plain and redacted", async () => {
  await world.post("compressed", gzipSync(requestOf()), { ...headers, "content-encoding": "gzip" });
  await world.settled("compressed", 1);
  const [capture] = await world.capturesOf("compressed");
  expect(capture!.requestHeaders).not.toHaveProperty("content-encoding");
  expect(JSON.parse(Buffer.from(capture!.requestBody).toString()).inputs[0].data).toEqual(["[redacted]"]);
});

test("an error that quotes the input is kept without its text", async () => {
  expect((await world.post("quotes", requestOf(), {})).status).toBe(400);
  await world.settled("quotes", 1);
  const [capture] = await world.capturesOf("quotes");
  expect(capture!.status).toBe(400);
  expect(capture!.redacted).toContain("response-error");
  expect(Buffer.from(capture!.responseBody).toString()).toBe('{"error":"[redacted]"}');
});

describe("a rule that fails: nothing of the request is written, and it is counted", () => {
  test("row 39 of the faults", async () => {
    const answer = await world.post("failing", requestOf(), headers);
    expect(answer.status).toBe(200);
    expect(await world.settled("failing", 1)).toMatchObject({
      dropped: { redaction: 1 },
      captured: 0,
      balanced: true,
    });
    expect(await world.capturesOf("failing")).toEqual([]);
  });

  test("row 29: bombs and nested codings, as a body that cannot be read at all", async () => {
    const bomb = gzipSync(Buffer.alloc(60_000_000, 32));
    expect(bomb.length).toBeLessThan(200_000);
    const bodies: [string | Buffer, Record<string, string>][] = [
      [bomb, { "content-encoding": "gzip" }],
      [gzipSync(gzipSync(requestOf())), { "content-encoding": "gzip, gzip" }],
      [gzipSync(gzipSync(requestOf())), { "content-encoding": "gzip" }],
      [requestOf(), { "content-encoding": "br" }],
      [`not JSON: ${secret}`, {}],
    ];
    for (const [body, more] of bodies) expect((await world.post("closed", body, more)).status).toBe(200);
    const ledger = await world.settled("closed", bodies.length);
    expect(ledger).toMatchObject({ dropped: { redaction: bodies.length }, captured: 0, balanced: true });
  });
});

test("after all of it, no file of the gateway holds the secret", async () => {
  await world.post("plain", requestOf("marker-of-the-plain-one"), {});
  await world.settled("plain", 1);
  // The search finds what is there: this deployment redacts nothing.
  const plain = (await world.capturesOf("plain"))[0]!;
  expect(Buffer.from(plain.requestBody).toString()).toContain(`${secret}-user`);
  const [own] = (await filesWith("marker-of-the-plain-one", world.gateway.dataDir)).found;
  expect(own).toMatch(new RegExp(`segments/${world.ids.get("plain")}/`));
  const { found, looked } = await filesWith(secret, world.gateway.dataDir);
  expect(found).toEqual([own]);
  expect(looked.filter((path) => path.endsWith(".parquet")).length).toBeGreaterThanOrEqual(4);
});

test("a subject that changes while a request is under way leaves nothing of the header before", async () => {
  const early = world.post("moves", '{"inputs":[]}', { "x-user": `${secret}@example.org`, "x-hold": "1" });
  await eventually(
    () => world.ledgerOf("moves"),
    ({ inFlight }) => inFlight === 1,
    { withinMs: 10_000, everyMs: 50 },
  );
  await world.store.registry.updateDeployment("moves", redacted({ subject: { header: "x-owner" } }));
  let sent = 1;
  await eventually(
    async () => {
      sent += 1;
      await world.post("moves", '{"inputs":[]}', { "x-owner": "ada" });
      return (await rowsOf("moves")).some(({ subject }) => subject !== null);
    },
    (known) => known,
    { withinMs: 20_000, everyMs: 200 },
  );
  letGo();
  await early;
  expect(await world.settled("moves", sent)).toMatchObject({ captured: sent, balanced: true });
  const captures = await world.capturesOf("moves");
  const [first] = captures.toSorted((a, b) => a.receivedAtMs - b.receivedAtMs);
  expect(first).toMatchObject({ tags: {}, redacted: ["header:x-user"], subject: null });
  expect((await filesWith("example.org", world.gateway.dataDir)).found).toEqual([]);
}, 40_000);

test("a change reaches the gateway without a restart", async () => {
  await world.store.registry.updateDeployment(
    "changed",
    redacted({ rules: [rule({ input: "text" }, "drop")] }),
  );
  let sent = 0;
  await eventually(
    async () => {
      sent += 1;
      await world.post("changed", requestOf(), {});
      await world.settled("changed", sent);
      return (await world.capturesOf("changed")).map((capture) => capture.redacted);
    },
    (all) => all.some((words) => words.includes("input:text")),
    { withinMs: 20_000, everyMs: 200 },
  );
});

test("the spool holds what is redacted, too, while Postgres is away", async () => {
  const upstream = await startUpstream((request, response) => {
    void bodyOf(request).then(() => response.end(JSON.stringify({ model_name: "m", outputs: [] })));
  });
  const dataDir = await mkdtemp(join(tmpdir(), "understudy-redaction-"));
  const known: GatewayConfig = {
    captureEnabled: true,
    deployments: ["masked", "as-it-is"].map((name, index) => ({
      id: index + 1,
      name,
      primary: { url: upstream.url, model: name, version: null, headers: {} },
      sampleRate: 1,
      captureEnabled: true,
      capture: { targets: [], sequences: false, tags: [] },
      redaction: name === "masked" ? parseRedaction(thorough) : noRedaction,
    })),
  };
  await writeFile(join(dataDir, "deployments.json"), JSON.stringify(known));
  const env = { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none", UNDERSTUDY_REDACTION_KEY: key };
  const gateway = await startTestGateway(env, { dataDir });
  try {
    for (const name of ["masked", "as-it-is"]) {
      const path = `/v2/models/${name}/infer`;
      expect((await send(gateway.port, { method: "POST", path, body: requestOf(), headers })).status).toBe(
        200,
      );
    }
    const spooled = (deployment: number) => async () =>
      (await filesWith("FP32", dataDir)).found.filter((path) => path.includes(`.${deployment}.`));
    const [masked] = await eventually(spooled(1), (files) => files.length === 1);
    const [asItIs] = await eventually(spooled(2), (files) => files.length === 1);
    expect(masked).toMatch(/\.spool$/);
    // The one that redacts nothing shows that the search would find it.
    expect((await filesWith(secret, dataDir)).found).toEqual([asItIs]);
  } finally {
    await gateway.close();
    await rm(dataDir, { recursive: true, force: true });
    await upstream.close();
  }
});
