import { Tensor as OrtTensor } from "onnxruntime-node";
import type { Datatype, Tensor } from "../tensor/tensor.js";
import { bytesElements, typedView } from "../tensor/view.js";

/** onnxruntime's types by V2's. BF16 is missing because onnxruntime-node cannot load it; nor 4-bit integers, which V2 lacks. */
const ortTypes = {
  BOOL: "bool",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "string",
} as const satisfies Partial<Record<Datatype, OrtTensor.Type>>;

/** V2's datatype of an onnxruntime type; null when V2 has none. */
export function datatypeOf(type: OrtTensor.Type): Datatype | null {
  const found = Object.entries(ortTypes).find(([, ortType]) => ortType === type);
  return found ? (found[0] as Datatype) : null;
}

/** @throws RangeError for BF16, of which no model that was loaded has an input */
export function toOrt(tensor: Tensor): OrtTensor {
  const { name, datatype, shape } = tensor;
  switch (datatype) {
    case "BF16":
      throw new RangeError(`input "${name}": onnxruntime-node has no bfloat16`);
    case "BYTES":
      return new OrtTensor("string", bytesElements(tensor).map(textOf), shape);
    case "BOOL":
      // onnxruntime's kernels count on a bool being 0 or 1.
      return new OrtTensor(
        "bool",
        tensor.data.map((byte) => (byte === 0 ? 0 : 1)),
        shape,
      );
    default:
      // The constructor's overloads tie each type to its array; here the datatype ties them.
      return new OrtTensor(ortTypes[datatype] as "float32", typedView(tensor) as Float32Array, shape);
  }
}

export function fromOrt(name: string, tensor: OrtTensor): Tensor {
  const datatype = datatypeOf(tensor.type);
  if (datatype === null) throw new RangeError(`output "${name}" is of type ${tensor.type}, which V2 lacks`);
  return { name, datatype, shape: tensor.dims, data: bytesOf(tensor) };
}

function bytesOf({ data }: OrtTensor): Uint8Array {
  if (!Array.isArray(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const parts = data.map((element) => {
    const text = Buffer.from(String(element));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    return Buffer.concat([length, text]);
  });
  return Buffer.concat(parts);
}

function textOf(element: Uint8Array): string {
  return Buffer.from(element.buffer, element.byteOffset, element.byteLength).toString();
}
