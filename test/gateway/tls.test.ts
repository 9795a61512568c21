import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createUpstreamPool } from "../../src/http1/pool.js";
import { createUpstream } from "../../src/upstream/client.js";
import { ask } from "../http1/ask.js";
import { startTestGateway } from "./gateway.js";
import { send } from "./wire.js";

const openssl = (...args: string[]) => promisify(execFile)("openssl", args);
const infer = { method: "POST", path: "/v2/models/m/infer", body: '{"a":1}' };

let folder: string;
/** By the name that its certificate is for. */
const servers = new Map<string, { server: Server; url: string; served: number }>();

/** A server whose certificate, for `subject`, is signed by the authority in the folder. */
async function startTls(name: string, subject: string): Promise<void> {
  const at = (file: string) => join(folder, `${name}.${file}`);
  await writeFile(at("ext"), `subjectAltName=${subject}\n`);
  await openssl(
    "req",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    at("key"),
    "-out",
    at("csr"),
    "-subj",
    "/CN=primary",
  );
  await openssl(
    ...["x509", "-req", "-in", at("csr"), "-CA", join(folder, "ca.pem"), "-CAkey", join(folder, "ca.key")],
    ...["-CAcreateserial", "-days", "2", "-extfile", at("ext"), "-out", at("pem")],
  );
  const entry = { served: 0, url: "", server: null as unknown as Server };
  const credentials = { key: await readFile(at("key")), cert: await readFile(at("pem")) };
  entry.server = createServer(credentials, (request, response) => {
    entry.served += 1;
    response.writeHead(200, { "content-type": "application/json" });
    request.pipe(response);
  });
  await new Promise<void>((resolve) => entry.server.listen(0, "127.0.0.1", resolve));
  entry.url = `https://127.0.0.1:${(entry.server.address() as AddressInfo).port}`;
  servers.set(name, entry);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "understudy-tls-"));
  const ca = ["-keyout", join(folder, "ca.key"), "-out", join(folder, "ca.pem")];
  await openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    ...ca,
    "-days",
    "2",
    "-subj",
    "/CN=test authority",
  );
  await startTls("right", "IP:127.0.0.1");
  await startTls("wrong", "DNS:elsewhere.example");
});
afterAll(async () => {
  for (const { server } of servers.values()) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(folder, { recursive: true, force: true });
});

const errorIn = (body: Buffer) => JSON.parse(body.toString()).error;

test.each([
  ["an authority that the setting names", "right", true, 200, ""],
  ["an authority that nobody named", "right", false, 502, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  ["a certificate for another host", "wrong", true, 502, "ERR_TLS_CERT_ALTNAME_INVALID"],
])("%s", async (_, name, trusted, status, code) => {
  const { url } = servers.get(name)!;
  const before = servers.get(name)!.served;
  const env = trusted ? { UNDERSTUDY_CA_FILE: join(folder, "ca.pem") } : {};
  const gateway = await startTestGateway({ UNDERSTUDY_DEFAULT_PRIMARY: url, ...env });
  const answer = await send(gateway.port, infer);
  await gateway.remove();
  expect(answer.status).toBe(status);
  expect(servers.get(name)!.served - before).toBe(status === 200 ? 1 : 0);
  if (status === 200) expect(answer.body.toString()).toBe(infer.body);
  else expect(errorIn(answer.body)).toBe(`the primary did not answer: the connection failed (${code})`);
});

test("the authorities' certificates are read once, not for each connection", async () => {
  const pem = await readFile(join(folder, "ca.pem"), "utf8");
  let read = 0;
  const ca = Object.assign([pem], {
    *[Symbol.iterator]() {
      read += 1;
      yield pem;
    },
  });
  const { url } = servers.get("right")!;
  const before = servers.get("right")!.served;
  const pool = createUpstreamPool(url, {
    connectionsMax: null,
    waitingMax: 1,
    idleMs: 60_000,
    headBytesMax: 1_000,
    headersMs: 60_000,
    bodyMs: 60_000,
    connectMs: 5_000,
    ca,
  });
  // At once, so each on a connection of its own.
  expect(await Promise.all([ask(pool).ended, ask(pool).ended, ask(pool).ended])).toEqual(["", "", ""]);
  expect(servers.get("right")!.served - before).toBe(3);
  expect(read).toBe(1);
  pool.destroy();
});

test("replays trust the same authorities", async () => {
  const endpoint = { url: servers.get("right")!.url, model: "m", version: null, headers: {} };
  const request = { call: "infer" as const, headers: {}, body: Buffer.from("{}") };
  const limits = { timeoutMs: 5_000, responseBytesMax: 1_000 };
  for (const caFile of [join(folder, "ca.pem"), undefined]) {
    const upstream = createUpstream({ config: { secret: () => undefined, caFile } });
    expect((await upstream.send(endpoint, request, limits)).ok).toBe(caFile !== undefined);
    await upstream.close();
  }
});

test.each([
  ["is not there", "nowhere.pem", null],
  ["holds no certificate", "empty.pem", "not a certificate"],
])("a file that %s is said at the start", async (_, name, content) => {
  const path = join(folder, name);
  if (content !== null) await writeFile(path, content);
  const starting = startTestGateway({
    UNDERSTUDY_DEFAULT_PRIMARY: "https://127.0.0.1:9",
    UNDERSTUDY_CA_FILE: path,
  });
  await expect(starting).rejects.toMatchObject({ code: "config_invalid", message: /UNDERSTUDY_CA_FILE/ });
});
