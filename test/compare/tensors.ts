import { encodeInferResponse } from "../../src/protocol/infer.js";
import type { Datatype, Tensor } from "../../src/tensor/tensor.js";
import type { FailureKind, Observation } from "../../src/upstream/observation.js";

export type Value = number | bigint | boolean | string | Uint8Array;

const writers: Record<
  Exclude<Datatype, "BYTES">,
  [number, (view: DataView, at: number, v: Value) => void]
> = {
  BOOL: [1, (view, at, v) => view.setUint8(at, Number(v))],
  UINT8: [1, (view, at, v) => view.setUint8(at, Number(v))],
  UINT16: [2, (view, at, v) => view.setUint16(at, Number(v), true)],
  UINT32: [4, (view, at, v) => view.setUint32(at, Number(v), true)],
  UINT64: [8, (view, at, v) => view.setBigUint64(at, BigInt(v as bigint), true)],
  INT8: [1, (view, at, v) => view.setInt8(at, Number(v))],
  INT16: [2, (view, at, v) => view.setInt16(at, Number(v), true)],
  INT32: [4, (view, at, v) => view.setInt32(at, Number(v), true)],
  INT64: [8, (view, at, v) => view.setBigInt64(at, BigInt(v as bigint), true)],
  FP16: [2, (view, at, v) => view.setUint16(at, Number(v), true)],
  BF16: [2, (view, at, v) => view.setUint16(at, Number(v), true)],
  FP32: [4, (view, at, v) => view.setFloat32(at, Number(v), true)],
  FP64: [8, (view, at, v) => view.setFloat64(at, Number(v), true)],
};

/**
 * A tensor of the given values, lying `offset` bytes into its buffer, as tensors in a body do. FP16 and BF16 take
 * their bits. Does not use the code under test.
 */
export function tensor(
  datatype: Datatype,
  values: readonly Value[],
  { shape = [values.length], name = "y", offset = 1 } = {},
): Tensor {
  const data = datatype === "BYTES" ? bytesData(values) : numberData(datatype, values);
  const body = new Uint8Array(data.length + offset);
  body.set(data, offset);
  return { name, datatype, shape, data: body.subarray(offset) };
}

function numberData(datatype: Exclude<Datatype, "BYTES">, values: readonly Value[]): Uint8Array {
  const [size, write] = writers[datatype];
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((value, i) => {
    write(view, i * size, value);
  });
  return new Uint8Array(view.buffer);
}

function bytesData(values: readonly Value[]): Uint8Array {
  return Buffer.concat(
    values.flatMap((value) => {
      const element = typeof value === "string" ? Buffer.from(value) : (value as Uint8Array);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(element.length);
      return [length, element];
    }),
  );
}

/** What an endpoint that answers with these outputs is seen to answer. */
export function answered(
  outputs: readonly (Tensor & { parameters?: Record<string, unknown> })[],
  { parameters = {}, binary = true }: { parameters?: Record<string, unknown>; binary?: boolean } = {},
): Observation {
  const { body, headerLength } = encodeInferResponse(
    {
      modelName: "m",
      modelVersion: "1",
      parameters,
      outputs: outputs.map((output) => ({ parameters: {}, ...output })),
    },
    { binary: () => binary },
  );
  return answeredBytes(
    body,
    headerLength === null ? {} : { "inference-header-content-length": String(headerLength) },
  );
}

export function answeredBytes(body: Uint8Array, headers: Record<string, string> = {}): Observation {
  return { ok: true, status: 200, headers, body, latencyMs: 1, attempts: [] };
}

export function failed(failure: FailureKind): Observation {
  return { ok: false, failure, message: `it was ${failure}`, latencyMs: 1, attempts: [] };
}
