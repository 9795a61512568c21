import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digitsDir } from "../../src/paths.js";
import { openControl, openModelServer, type TestControl } from "./support.js";

let control: TestControl;
let server: Awaited<ReturnType<typeof openModelServer>>;
let modelsDir: string;
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), "understudy-models-"));
  await writeFile(join(modelsDir, "int8.onnx"), await readFile(join(digitsDir, "int8.onnx")));
  await writeFile(join(modelsDir, "broken.onnx"), "not a model");
  await symlink("/etc/hostname", join(modelsDir, "link.onnx"));
  [control, server] = await Promise.all([openControl({ modelsDir }), openModelServer()]);
  await control.call("POST", "/deployments", { body: { name: "digits", primary: { url: server.url } } });
});
afterAll(async () => {
  await control.close();
  await server.close();
  await rm(modelsDir, { recursive: true });
});

const path = "/deployments/digits/candidates";

test("an endpoint becomes a candidate; another revision opens another run, the same one none", async () => {
  const body = { name: "next", url: server.url };
  const first = await control.call("POST", path, { body });
  expect(first.status).toBe(201);
  expect(first.body).toMatchObject({
    name: "next",
    deployment: "digits",
    url: server.url,
    model: "digits",
    version: null,
    sha256: null,
    state: "active",
  });
  expect((await control.call("POST", path, { body })).body.run).toBe(first.body.run);
  const other = await control.call("POST", path, { body: { ...body, version: "1" } });
  expect(other.body.run).toBeGreaterThan(first.body.run);
  expect((await control.call("GET", `${path}/next`)).body).toEqual(other.body);
});

test("an ONNX file is loaded once and pinned by its digest", async () => {
  const created = await control.call("POST", path, { body: { name: "int8", url: "onnx:int8.onnx" } });
  const sha256 = createHash("sha256")
    .update(await readFile(join(modelsDir, "int8.onnx")))
    .digest("hex");
  expect(created.status).toBe(201);
  expect(created.body).toMatchObject({ url: "onnx:int8.onnx", model: "digits", sha256 });
  const { metadata } = await control.store.registry.getCandidate("digits", "int8");
  expect(metadata).toMatchObject({ platform: "onnxruntime_onnx", parameters: { sha256 } });
  const { items } = (await control.call("GET", path)).body;
  expect(items.map((item: { name: string }) => item.name)).toContain("int8");
});

test.each([
  ["an endpoint that is down", "http://127.0.0.1:9", 422, "endpoint_unreachable"],
  ["an unknown scheme", "ftp://127.0.0.1", 400, "invalid_request"],
  ["a file that is not there", "onnx:absent.onnx", 422, "model_invalid"],
  ["a file that does not load", "onnx:broken.onnx", 422, "model_invalid"],
  ["a path out of the folder", "onnx:../../etc/passwd", 422, "model_invalid"],
  ["a link out of the folder", "onnx:link.onnx", 422, "model_invalid"],
  ["a path with NUL", "onnx:a\0b", 400, "invalid_request"],
])("%s is refused, and nothing is registered", async (_, url, status, code) => {
  const answer = await control.call("POST", path, { body: { name: "refused", url } });
  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect((await control.call("GET", `${path}/refused`)).status).toBe(404);
});

test("a URL that is none is told in words what it must be", async () => {
  const answer = await control.call("POST", path, { body: { name: "refused", url: "ftp://x" } });
  expect(answer.body.errors).toEqual([
    { path: "url", message: "must be http(s)://HOST[:PORT], or onnx:PATH under the models folder" },
  ]);
});

test("a candidate of an unknown deployment", async () => {
  const body = { name: "next", url: server.url };
  const answer = await control.call("POST", "/deployments/none/candidates", { body });
  expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
});
