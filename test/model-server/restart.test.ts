import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { drain } from "../../src/model-server/drain.js";
import { createModelHttpServer } from "../../src/model-server/http-server.js";
import { loadModel } from "../../src/model-server/load-model.js";
import { createModelMetrics } from "../../src/model-server/model-metrics.js";
import { serveModel } from "../../src/model-server/served-model.js";
import { urlOf } from "../../src/process/address.js";
import { listen } from "../../src/process/listen.js";
import { eventually } from "../support/product.js";
import { digitsDir, errorOf, post, silent } from "./server.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "understudy-models-"));
  await copyFile(join(digitsDir, "primary.onnx"), join(folder, "m.onnx"));
});
afterAll(() => rm(folder, { recursive: true }));

const load = () =>
  loadModel({ name: "m", path: "m.onnx" }, { config: { modelsDir: folder, environment: {} }, log: silent });
const zeros = {
  inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: new Array(64).fill(0) }],
};

test("while its process is away a model is not ready, and says so; restarts are tried until one succeeds", async () => {
  const loaded = await load();
  let tries = 0;
  let open = false;
  const restart = () => {
    tries++;
    return open ? loaded.restart() : Promise.reject(new Error("not yet"));
  };
  const model = serveModel({ ...loaded, restart, log: silent });
  const models = new Map([["m", model]]);
  const server = createModelHttpServer({ models, metrics: createModelMetrics(models), log: silent });
  const port = await listen(server, { host: "127.0.0.1", port: 0, what: "test", setting: "none" });
  const url = urlOf("127.0.0.1", port);
  const statuses = async () => {
    const live = await fetch(`${url}/v2/health/live`);
    const ready = await fetch(`${url}/v2/health/ready`);
    const modelReady = await fetch(`${url}/v2/models/m/ready`);
    const metadata = await fetch(`${url}/v2/models/m`);
    const infer = await post(`${url}/v2/models/m/infer`, zeros);
    return [live, ready, modelReady, metadata, infer].map(({ status }) => status);
  };

  expect(await statuses()).toEqual([200, 200, 200, 200, 200]);
  await loaded.inference.close();
  await eventually(
    async () => tries,
    (count) => count >= 2,
  );
  expect(await statuses()).toEqual([200, 400, 400, 200, 503]);
  expect(await (await fetch(`${url}/metrics`)).text()).toContain(
    'understudy_model_server_model_ready{model="m"} 0',
  );
  open = true;
  await eventually(
    async () => model.isReady(),
    (ready) => ready,
  );
  expect(await statuses()).toEqual([200, 200, 200, 200, 200]);

  await drain(server);
  await model.close();
  expect(await model.infer({ inputs: [], outputs: [], wanted: () => true })).toMatchObject({
    kind: "unavailable",
  });
});

test("closing while it is away ends the waiting", async () => {
  const loaded = await load();
  const model = serveModel({ ...loaded, restart: () => Promise.reject(new Error("never")), log: silent });
  await loaded.inference.close();
  await eventually(
    async () => model.isReady(),
    (ready) => !ready,
  );
  await model.close();
});

test("a restart takes the same file on the same provider, or none", async () => {
  const loaded = await load();
  await loaded.inference.close();
  const again = await loaded.restart();
  expect(again.description).toMatchObject({ sha256: loaded.inference.description.sha256, provider: "cpu" });
  await again.close();
  await copyFile(join(digitsDir, "regressed.onnx"), join(folder, "m.onnx"));
  expect(await errorOf(loaded.restart())).toMatchObject({
    code: "model_invalid",
    message: expect.stringContaining(loaded.inference.description.sha256),
  });
});
