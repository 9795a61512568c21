import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hashOfFile } from "../../src/model-server/model-file.js";
import { digitsDir } from "../../src/paths.js";
import { encodeInferRequest } from "../../src/protocol/infer.js";
import { createHosts, type Hosts } from "../../src/replay/hosts.js";
import { replayWork } from "../../src/replay/replay-work.js";
import { createUpstream } from "../../src/upstream/client.js";
import { configOf, silent } from "../model-server/server.js";
import { endpoint, newCandidate, newDeployment } from "../store/support.js";
import { capture, openReplayWorld, type ReplayWorld } from "./support.js";

const never = new AbortController().signal;
const config = configOf(digitsDir);
const int8 = endpoint({ url: "onnx:int8.onnx", model: "digits" });

/** One digit, as the demo asks. */
function digitRequest(): Buffer {
  const pixels = Float32Array.from(readFileSync(join(digitsDir, "digits.bin")).subarray(0, 64));
  const data = new Uint8Array(pixels.buffer);
  const image = { name: "image", datatype: "FP32" as const, shape: [1, 1, 8, 8], data, parameters: {} };
  return encodeInferRequest({ parameters: {}, inputs: [image], outputs: [] }, { binary: false }).body;
}

let world: ReplayWorld;
let hosts: Hosts;
let sha256: string;
const upstream = createUpstream({ config });
const send = (to: typeof int8) =>
  upstream.send(
    to,
    { call: "infer", headers: {}, body: digitRequest() },
    { timeoutMs: 10_000, responseBytesMax: 100_000 },
  );

beforeAll(async () => {
  world = await openReplayWorld();
  hosts = createHosts({ config, log: silent });
  sha256 = await hashOfFile(join(digitsDir, "int8.onnx"));
});
afterAll(async () => {
  await hosts.close();
  await upstream.close();
  await world.close();
});

it("serves one file once, for all who use it", async () => {
  const urls = await Promise.all([1, 2, 3].map(() => hosts.use(int8, sha256, async ({ url }) => url)));
  expect(new Set(urls).size).toBe(1);
  expect(await hosts.use(int8, sha256, send)).toMatchObject({ ok: true });
});

it("takes any other endpoint as it is", async () => {
  const plain = endpoint();
  expect(await hosts.use(plain, null, async (given) => given)).toBe(plain);
});

it("starts the model server of a file that could not be served at first", async () => {
  let tries = 0;
  const flaky = createHosts({
    config,
    log: silent,
    host: async () => {
      tries += 1;
      if (tries === 1) throw new Error("no memory");
      return { endpoint: endpoint(), sha256, close: async () => {} };
    },
  });
  await expect(flaky.use(int8, sha256, async () => {})).rejects.toThrow("no memory");
  expect(await flaky.use(int8, sha256, async ({ url }) => url)).toBe(endpoint().url);
  await flaky.close();
});

it.each([
  ["a file that is not there", "onnx:missing.onnx", null],
  ["another file than was pinned", "onnx:int8.onnx", "0".repeat(64)],
])("a work for %s is dead, and says why", async (_, url, pinned) => {
  const name = `hosted-${Math.random()}`;
  const deployment = await world.store.registry.createDeployment(newDeployment({ name }));
  await world.store.registry.addCandidate(
    name,
    newCandidate({ endpoint: endpoint({ url, model: "digits" }), sha256: pinned }),
  );
  const { workId } = await world.addSegment(deployment.id, [capture(1)]);
  expect((await replayWork(world.worker({ hosts }), workId, never)).end).toBe("dead");
  expect((await world.workState(workId)).error).toContain("model_invalid");
});
