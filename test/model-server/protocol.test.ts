import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Service } from "../../src/process/service.js";
import {
  decodeInferResponse,
  encodeInferRequest,
  type InferRequest,
  type InferTensor,
} from "../../src/protocol/infer.js";
import { digitsDir, post, startServer } from "./server.js";

let server: Service & { url: string };
let url: string;
beforeAll(async () => {
  server = await startServer(
    [
      { name: "digits", path: "primary.onnx" },
      { name: "int8", path: join(digitsDir, "int8.onnx"), device: "cpu" },
    ],
    { modelsDir: digitsDir },
  );
  url = `${server.url}/models/digits`;
});
afterAll(() => server.close());

const digits = readFileSync(join(digitsDir, "digits.bin"));
const pixelsOf = (index: number) => [...digits.subarray(index * 65, index * 65 + 64)];
const image = (...pixels: number[][]): InferTensor => ({
  name: "image",
  datatype: "FP32",
  shape: [pixels.length, 1, 8, 8],
  parameters: {},
  data: new Uint8Array(Float32Array.from(pixels.flat()).buffer),
});
const requestOf = (input: InferTensor, more: Partial<InferRequest> = {}): InferRequest => ({
  parameters: {},
  inputs: [input],
  outputs: [],
  ...more,
});
const argmax = (logits: ArrayLike<number>) => Array.from(logits).indexOf(Math.max(...Array.from(logits)));

async function send(request: InferRequest, binary: boolean, headers: Record<string, string> = {}) {
  const { body, headerLength } = encodeInferRequest(request, { binary });
  const given: Record<string, string> =
    headerLength === null ? {} : { "inference-header-content-length": String(headerLength) };
  return post(`${url}/infer`, body, { ...given, ...headers });
}

async function decoded(response: Response) {
  const length = response.headers.get("inference-header-content-length");
  return decodeInferResponse(
    new Uint8Array(await response.arrayBuffer()),
    length === null ? null : Number(length),
  );
}

describe("what a model is", () => {
  test("server metadata", async () => {
    const body = await (await fetch(server.url)).json();
    expect(body).toMatchObject({
      name: "understudy-model-server",
      extensions: expect.arrayContaining(["binary_tensor_data"]),
    });
  });

  test.each(["", "/versions/1"])("model metadata%s", async (version) => {
    const body = await (await fetch(`${url}${version}`)).json();
    expect(body).toEqual({
      name: "digits",
      versions: ["1"],
      platform: "onnxruntime_onnx",
      inputs: [{ name: "image", datatype: "FP32", shape: [-1, 1, 8, 8] }],
      outputs: [
        { name: "logits", datatype: "FP32", shape: [-1, 10] },
        { name: "probabilities", datatype: "FP32", shape: [-1, 10] },
      ],
      parameters: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), execution_provider: "cpu" },
    });
  });

  test("config in Triton's form", async () => {
    expect(await (await fetch(`${url}/config`)).json()).toMatchObject({
      name: "digits",
      max_batch_size: 0,
      input: [{ name: "image", data_type: "TYPE_FP32", dims: [-1, 1, 8, 8] }],
      instance_group: [{ kind: "KIND_CPU" }],
    });
  });

  test.each(["/health/live", "/health/ready", "/models/digits/ready", "/models/int8/versions/1/ready"])(
    "%s is an empty 200",
    async (path) => {
      const response = await fetch(`${server.url}${path}`);
      expect([response.status, await response.text()]).toEqual([200, ""]);
    },
  );

  test("stats and metrics count the inferences that ran", async () => {
    const inferences = async () => {
      const { model_stats } = (await (await fetch(`${server.url}/models/int8/stats`)).json()) as {
        model_stats: {
          inference_count: number;
          inference_stats: { success: { count: number; ns: number } };
        }[];
      };
      return model_stats[0]!;
    };
    const before = await inferences();
    for (let sent = 0; sent < 3; sent++) {
      const { body } = encodeInferRequest(requestOf(image(pixelsOf(sent))), { binary: false });
      expect((await post(`${server.url}/models/int8/infer`, body)).status).toBe(200);
    }
    const after = await inferences();
    expect(after.inference_count - before.inference_count).toBe(3);
    expect(after.inference_stats.success.count - before.inference_stats.success.count).toBe(3);
    expect(after.inference_stats.success.ns).toBeGreaterThan(before.inference_stats.success.ns);
    const metrics = await (await fetch(`${server.ready.url}/metrics`)).text();
    expect(metrics).toContain(
      `understudy_model_server_inferences_total{model="int8",outcome="succeeded"} ${after.inference_count}`,
    );
    expect(metrics).toContain(`understudy_model_server_model_ready{model="int8"} 1`);
  });
});

describe("infer", () => {
  test.each([{ binary: false }, { binary: true }])(
    "a batch, sent with binary $binary",
    async ({ binary }) => {
      const response = await send(requestOf(image(pixelsOf(0), pixelsOf(1)), { id: "seven" }), binary);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("application/json");
      const answer = await decoded(response);
      expect(answer).toMatchObject({ modelName: "digits", modelVersion: "1", id: "seven" });
      expect(answer.outputs.map(({ name, shape }) => [name, shape])).toEqual([
        ["logits", [2, 10]],
        ["probabilities", [2, 10]],
      ]);
      const logits = new Float32Array(answer.outputs[0]!.data.slice().buffer);
      expect([argmax(logits.subarray(0, 10)), argmax(logits.subarray(10))]).toEqual([0, 1]);
    },
  );

  test("without a Content-Type, as tritonclient sends it", async () => {
    const { body } = encodeInferRequest(requestOf(image(pixelsOf(4))), { binary: false });
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(server.ready.port), "127.0.0.1", () => {
        socket.write(
          `POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`,
        );
        socket.write(body);
      });
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.on("end", () => resolve(text));
      socket.on("error", reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('"model_name":"digits"');
  });

  test.each([
    {
      what: "all in binary",
      parameters: { binary_data_output: true },
      outputs: [],
      binary: ["logits", "probabilities"],
    },
    { what: "one listed", parameters: {}, outputs: [{ name: "logits", parameters: {} }], binary: [] },
    {
      what: "listed, one in binary",
      parameters: {},
      outputs: [
        { name: "probabilities", parameters: { binary_data: true } },
        { name: "logits", parameters: {} },
      ],
      binary: ["probabilities"],
    },
    {
      what: "one out of the binary ones",
      parameters: { binary_data_output: true },
      outputs: [{ name: "logits", parameters: { binary_data: false } }],
      binary: [],
    },
  ])("requested outputs: $what", async ({ parameters, outputs, binary }) => {
    const response = await send(requestOf(image(pixelsOf(3)), { parameters, outputs }), true);
    const body = new Uint8Array(await response.arrayBuffer());
    const header = response.headers.get("inference-header-content-length");
    expect(response.headers.get("content-type")).toBe(
      binary.length > 0 ? "application/octet-stream" : "application/json",
    );
    const json = JSON.parse(Buffer.from(body.subarray(0, Number(header ?? body.length))).toString()) as {
      outputs: { name: string; parameters?: { binary_data_size?: number } }[];
    };
    const wanted = outputs.length > 0 ? outputs.map(({ name }) => name) : ["logits", "probabilities"];
    expect(json.outputs.map(({ name }) => name)).toEqual(wanted);
    const sizes = json.outputs.filter((output) => output.parameters?.binary_data_size === 40);
    expect(sizes.map(({ name }) => name)).toEqual(binary);
  });

  test("both forms give the same bits", async () => {
    const json = await decoded(await send(requestOf(image(pixelsOf(9))), false));
    const binary = await decoded(
      await send(requestOf(image(pixelsOf(9)), { parameters: { binary_data_output: true } }), true),
    );
    expect(json.outputs.map(({ data }) => [...data])).toEqual(binary.outputs.map(({ data }) => [...data]));
  });

  test("a raw body is the model's only input, its batch told by the length", async () => {
    const pixels = image(pixelsOf(0), pixelsOf(5), pixelsOf(6)).data;
    const response = await post(`${url}/infer`, pixels, { "inference-header-content-length": "0" });
    const answer = await decoded(response);
    expect(answer.outputs[0]!.shape).toEqual([3, 10]);
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
  });

  test.each([
    { coding: "gzip", compress: gzipSync },
    { coding: "deflate", compress: deflateSync },
  ])("$coding both ways", async ({ coding, compress }) => {
    const { body, headerLength } = encodeInferRequest(
      requestOf(image(pixelsOf(2)), { parameters: { binary_data_output: true } }),
      { binary: true },
    );
    const response = await post(`${url}/infer`, compress(body), {
      "content-encoding": coding,
      "accept-encoding": coding,
      "inference-header-content-length": String(headerLength),
    });
    expect(response.headers.get("content-encoding")).toBe(coding);
    // fetch takes the coding away; the header counts what was there before it was applied.
    expect((await decoded(response)).outputs[0]!.shape).toEqual([1, 10]);
  });

  test("a batch of none is answered by none", async () => {
    const answer = await decoded(await send(requestOf({ ...image(), shape: [0, 1, 8, 8] }), true));
    expect(answer.outputs[0]!.shape).toEqual([0, 10]);
  });
});

describe("what is refused", () => {
  const good = { name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: new Array(64).fill(0) };
  const inputs = [good];
  test.each([
    { what: "not JSON", body: "{", status: 400, error: /JSON/i },
    { what: "no inputs", body: { inputs: [] }, status: 400, error: /"image" is missing/ },
    {
      what: "another input",
      body: { inputs: [good, { ...good, name: "x" }] },
      status: 400,
      error: /"x" is unknown/,
    },
    { what: "the input twice", body: { inputs: [good, good] }, status: 400, error: /two/ },
    {
      what: "another datatype",
      body: { inputs: [{ ...good, datatype: "INT32" }] },
      status: 400,
      error: /INT32.*FP32/,
    },
    {
      what: "bfloat16",
      body: { inputs: [{ ...good, datatype: "BF16", data: undefined, parameters: { binary_data_size: 0 } }] },
      status: 400,
      error: /./,
    },
    {
      what: "another rank",
      body: { inputs: [{ ...good, shape: [64] }] },
      status: 400,
      error: /\[64\].*\[-1,1,8,8\]/,
    },
    {
      what: "another shape",
      body: { inputs: [{ ...good, shape: [1, 1, 4, 16] }] },
      status: 400,
      error: /shape/,
    },
    { what: "too few elements", body: { inputs: [{ ...good, data: [1] }] }, status: 400, error: /./ },
    {
      what: "an unknown output",
      body: { inputs, outputs: [{ name: "x" }] },
      status: 400,
      error: /"x" is unknown/,
    },
    {
      what: "classification",
      body: { inputs, outputs: [{ name: "logits", parameters: { classification: 1 } }] },
      status: 400,
      error: /classification/,
    },
    {
      what: "shared memory",
      body: {
        inputs: [
          {
            ...good,
            data: undefined,
            parameters: { shared_memory_region: "r", shared_memory_byte_size: 256 },
          },
        ],
      },
      status: 400,
      error: /shared memory/,
    },
    {
      what: "a header length beyond the body",
      body: { inputs },
      headers: { "inference-header-content-length": "99999" },
      status: 400,
      error: /99999/,
    },
    {
      what: "a raw body of a length that does not fit",
      body: "abc",
      headers: { "inference-header-content-length": "0" },
      status: 400,
      error: /3 bytes/,
    },
    {
      what: "another coding",
      body: { inputs },
      headers: { "content-encoding": "br" },
      status: 400,
      error: /Content-Encoding/,
    },
    {
      what: "a damaged coding",
      body: { inputs },
      headers: { "content-encoding": "gzip" },
      status: 400,
      error: /gzip/,
    },
  ])("$what", async ({ body, headers, status, error }) => {
    const response = await post(`${url}/infer`, body, headers as Record<string, string> | undefined);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.stringMatching(error) });
  });

  test.each([
    { method: "GET", path: "/models/digits/infer", status: 405 },
    { method: "POST", path: "/models/digits", status: 405 },
    { method: "GET", path: "/models/nobody", status: 404 },
    { method: "POST", path: "/models/nobody/infer", status: 404 },
    { method: "GET", path: "/models/digits/versions/2", status: 404 },
    { method: "GET", path: "/models/digits/versions", status: 404 },
    { method: "GET", path: "/models/digits/x", status: 404 },
    { method: "GET", path: "/models/digits/ready/x", status: 404 },
    { method: "GET", path: "/models/%E0%A4%A", status: 400 },
    { method: "GET", path: "/health/x", status: 404 },
    { method: "GET", path: "/repository/index", status: 404 },
  ])("$method $path is $status", async ({ method, path, status }) => {
    const response = await fetch(`${server.url}${path}`, { method });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.any(String) });
  });

  test("a body that inflates beyond the cap", async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1024 ** 2));
    const response = await post(`${url}/infer`, bomb, { "content-encoding": "gzip" });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringMatching(/larger than/) });
  });

  test("a body that says it is too large", async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(server.ready.port), "127.0.0.1", () => {
        socket.write(
          "POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n",
        );
      });
      socket.once("data", (chunk) => resolve(chunk.toString()));
      socket.on("error", reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("after all of that it still serves", async () => {
    expect((await send(requestOf(image(pixelsOf(0))), true)).status).toBe(200);
  });
});
