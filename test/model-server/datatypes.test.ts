import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Service } from "../../src/process/service.js";
import { decodeInferResponse, encodeInferRequest, type InferTensor } from "../../src/protocol/infer.js";
import type { Datatype } from "../../src/tensor/tensor.js";
import { post, startServer } from "./server.js";

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** BYTES as the protocol has them: a u32 length before each element. */
function elements(...texts: (string | Buffer)[]): Uint8Array {
  const parts = texts.flatMap((text) => {
    const element = Buffer.from(text as string);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(element.length);
    return [length, element];
  });
  return new Uint8Array(Buffer.concat(parts));
}

/** Three elements of every datatype, the extremes among them. */
const samples: Partial<Record<Datatype, Uint8Array>> = {
  BOOL: Uint8Array.of(0, 1, 1),
  UINT8: Uint8Array.of(0, 7, 255),
  UINT16: bytesOf(Uint16Array.of(0, 7, 65_535)),
  UINT32: bytesOf(Uint32Array.of(0, 7, 4_294_967_295)),
  UINT64: bytesOf(BigUint64Array.of(0n, 9_007_199_254_740_993n, 18_446_744_073_709_551_615n)),
  INT8: bytesOf(Int8Array.of(-128, 0, 127)),
  INT16: bytesOf(Int16Array.of(-32_768, 0, 32_767)),
  INT32: bytesOf(Int32Array.of(-2_147_483_648, 0, 2_147_483_647)),
  INT64: bytesOf(BigInt64Array.of(-9_223_372_036_854_775_808n, 9_007_199_254_740_993n, 0n)),
  FP16: bytesOf(Uint16Array.of(0x3c00, 0x7c00, 0x8001)),
  FP32: bytesOf(Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY, -0)),
  FP64: bytesOf(Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY, 0.1)),
  BYTES: elements("", "ça ✓ 🦉", "a\nb"),
};

const inputsOf = (changed: Partial<Record<Datatype, Uint8Array>> = {}): InferTensor[] =>
  Object.entries({ ...samples, ...changed }).map(([datatype, data]) => ({
    name: `in_${datatype}`,
    datatype: datatype as Datatype,
    shape: [3],
    parameters: {},
    data,
  }));

let server: Service & { url: string };
beforeAll(async () => {
  server = await startServer([{ name: "identity", path: "identity.onnx" }]);
});
afterAll(() => server.close());

async function answerTo(inputs: InferTensor[], binary: boolean) {
  const parameters = { binary_data_output: binary };
  const { body, headerLength } = encodeInferRequest({ parameters, inputs, outputs: [] }, { binary });
  const response = await post(`${server.url}/models/identity/infer`, body, {
    "inference-header-content-length": String(headerLength),
  });
  const length = Number(response.headers.get("inference-header-content-length"));
  return { response, body: new Uint8Array(await response.arrayBuffer()), length };
}

describe("every datatype that onnxruntime-node has", () => {
  test.each([{ binary: true }, { binary: false }])(
    "goes in and comes out with the same bytes, binary $binary",
    async ({ binary }) => {
      const { body, length } = await answerTo(inputsOf(), binary);
      const { outputs } = decodeInferResponse(body, length);
      const found = Object.fromEntries(outputs.map(({ datatype, data }) => [datatype, [...data]]));
      const wanted = Object.fromEntries(Object.entries(samples).map(([type, data]) => [type, [...data]]));
      expect(found).toEqual(wanted);
    },
  );

  test("a BOOL other than 0 and 1 is true", async () => {
    const { body, length } = await answerTo(inputsOf({ BOOL: Uint8Array.of(0, 2, 255) }), true);
    const output = decodeInferResponse(body, length).outputs.find(({ name }) => name === "out_BOOL");
    expect([...output!.data]).toEqual([0, 1, 1]);
  });

  test.each([
    { what: "that are not UTF-8", element: Buffer.from([0xff]) },
    { what: "with a NUL", element: "a\0b" },
  ])("BYTES $what are refused, not changed", async ({ element }) => {
    const { response, body } = await answerTo(inputsOf({ BYTES: elements(element, "a", "b") }), true);
    expect(response.status).toBe(400);
    expect(Buffer.from(body).toString()).toMatch(/in_BYTES.*UTF-8/);
  });
});
