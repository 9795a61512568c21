import { isUtf8 } from "node:buffer";
import { elementBytes, elementCount, isDatatype } from "../tensor/dtype.js";
import type { Datatype, Tensor } from "../tensor/tensor.js";
import { bytesElements } from "../tensor/view.js";
import { described, excerptOf, ProtocolError, quoted, shaped } from "./error.js";
import { isRecord, parametersOf, stringField } from "./fields.js";
import { bytesOfJson, jsonElements } from "./tensor-json.js";

/** A tensor as it stands in a request or response, with its parameters (`binary_data_size` left out). */
export type InferTensor = Tensor & { parameters: Record<string, unknown> };

/** NumPy knows no more dimensions, and the JSON parser's depth leaves room for no more. */
const rankMax = 64;

/** Which side of an exchange the tensors belong to, as messages name it. */
export type TensorRole = "input" | "output";

/**
 * Reads a list of V2 tensors. `binary` is what follows the JSON in the body; tensors share its memory. Throws
 * ProtocolError unless every tensor's bytes are there, agree with shape and datatype, and nothing is left over.
 *
 * An input that lies in shared memory has no bytes here: its data is empty. An output there is refused, since two
 * absent answers must not look alike.
 */
export function decodeTensors(role: TensorRole, list: unknown, binary: Uint8Array | null): InferTensor[] {
  if (!Array.isArray(list)) throw new ProtocolError(`"${role}s" must be an array, found ${described(list)}`);
  const names = new Set<string>();
  let offset = 0;
  const tensors = list.map((item, position) => {
    const head = decodeHead(role, item, position);
    if (names.has(head.name)) throw new ProtocolError(`${head.where}: there are two of this name`);
    names.add(head.name);
    const { where, name, datatype, shape, parameters, binarySize } = head;
    if (binarySize === undefined) return { name, datatype, shape, parameters, data: decodeData(role, head) };
    const data = takeBinary(head, binary, offset);
    checkBinary(where, datatype, shape, data);
    offset += data.length;
    return { name, datatype, shape, parameters, data };
  });
  const rest = (binary?.length ?? 0) - offset;
  if (rest > 0) {
    const excerpt = excerptOf(binary!.subarray(offset));
    throw new ProtocolError(`${rest} bytes are left over behind the last binary ${role}`, excerpt);
  }
  return tensors;
}

/** The tensors' JSON and, in their order, the binary parts of those that `binary` wants so. */
export function encodeTensors(
  tensors: readonly InferTensor[],
  binary: (name: string) => boolean,
): { json: unknown[]; parts: Uint8Array[] } {
  const parts: Uint8Array[] = [];
  const json = tensors.map((tensor) => {
    const { name, datatype, shape, data } = tensor;
    if (isInSharedMemory(tensor.parameters)) return { name, datatype, shape, parameters: tensor.parameters };
    const parameters = Object.keys(tensor.parameters).length > 0 ? tensor.parameters : undefined;
    if (!binary(name) && hasJsonForm(tensor)) {
      return { name, datatype, shape, parameters, data: jsonElements(tensor) };
    }
    parts.push(data);
    return { name, datatype, shape, parameters: { ...parameters, binary_data_size: data.length } };
  });
  return { json, parts };
}

/** Whether parameters say that a tensor's bytes lie in a shared-memory region and not in the body. */
export function isInSharedMemory(parameters: Readonly<Record<string, unknown>>): boolean {
  return parameters.shared_memory_region !== undefined;
}

interface Head {
  where: string;
  name: string;
  datatype: Datatype;
  shape: number[];
  count: number;
  parameters: Record<string, unknown>;
  /** undefined: the data is in the JSON. */
  binarySize: number | undefined;
  data: unknown;
}

function decodeHead(role: TensorRole, item: unknown, position: number): Head {
  if (!isRecord(item)) {
    throw new ProtocolError(`${role} ${position} must be an object, found ${described(item)}`);
  }
  const name = stringField(item, "name", `${role} ${position}`);
  if (!name) throw new ProtocolError(`${role} ${position}: "name" must not be empty or missing`);
  const where = `${role} ${quoted(name)}`;
  const { datatype } = item;
  const data = item.data ?? undefined;
  if (!isDatatype(datatype)) {
    throw new ProtocolError(`${where}: "datatype" must be one of V2's, found ${described(datatype)}`);
  }
  const shape = decodeShape(where, item.shape);
  const given = parametersOf(item, where);
  const size = given.binary_data_size ?? undefined;
  const parameters = "binary_data_size" in given ? without(given, "binary_data_size") : given;
  if (size !== undefined && data !== undefined) {
    throw new ProtocolError(`${where}: has both "data" and "binary_data_size"`);
  }
  if (size !== undefined && !isSize(size)) {
    throw new ProtocolError(
      `${where}: "binary_data_size" must be a length in bytes, found ${described(size)}`,
    );
  }
  return { where, name, datatype, shape, count: elementCount(shape), parameters, binarySize: size, data };
}

function without(parameters: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> {
  const { [name]: _, ...others } = parameters;
  return others;
}

function decodeShape(where: string, shape: unknown): number[] {
  if (!Array.isArray(shape)) {
    throw new ProtocolError(`${where}: "shape" must be an array, found ${described(shape)}`);
  }
  if (shape.length > rankMax) {
    throw new ProtocolError(
      `${where}: "shape" has ${shape.length} dimensions, at most ${rankMax} can be read`,
    );
  }
  if (!shape.every(isSize)) {
    const found = described(shape.find((dimension) => !isSize(dimension)));
    throw new ProtocolError(`${where}: "shape" must hold whole numbers from 0 to 2^53, found ${found}`);
  }
  if (elementCount(shape) > Number.MAX_SAFE_INTEGER) {
    throw new ProtocolError(`${where}: shape has more than 2^53 elements`, shaped(shape));
  }
  return shape;
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function decodeData(role: TensorRole, { where, datatype, shape, count, parameters, data }: Head): Uint8Array {
  if (isInSharedMemory(parameters)) {
    if (role === "output") throw new ProtocolError(`${where}: its data is in shared memory, not in the body`);
    if (data !== undefined) throw new ProtocolError(`${where}: has both "data" and a shared-memory region`);
    return new Uint8Array(0);
  }
  if (data === undefined) throw new ProtocolError(`${where}: has neither "data" nor "binary_data_size"`);
  return bytesOfJson(where, datatype, shape, count, data);
}

function takeBinary({ where, binarySize = 0 }: Head, binary: Uint8Array | null, offset: number): Uint8Array {
  if (binary === null) {
    throw new ProtocolError(
      `${where}: has "binary_data_size", but the message has no Inference-Header-Content-Length`,
    );
  }
  const rest = binary.length - offset;
  if (binarySize > rest) {
    throw new ProtocolError(`${where}: "binary_data_size" is ${binarySize}, but ${rest} bytes are left`);
  }
  return new Uint8Array(binary.buffer, binary.byteOffset + offset, binarySize);
}

function checkBinary(where: string, datatype: Datatype, shape: readonly number[], data: Uint8Array): void {
  const count = elementCount(shape);
  const bytes = elementBytes(datatype);
  if (bytes === null) {
    checkElements(where, count, data);
  } else if (count * bytes !== data.length) {
    throw new ProtocolError(
      `${where}: ${datatype} of shape ${shaped(shape)} has ${count * bytes} bytes, but "binary_data_size" is ${data.length}`,
    );
  }
}

/** BYTES: each length must stay inside the data, and the elements must be as many as the shape says. */
function checkElements(where: string, count: number, data: Uint8Array): void {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let offset = 0;
  let found = 0;
  for (; offset < data.length; found++) {
    const rest = data.length - offset - 4;
    const length = rest < 0 ? 0 : view.getUint32(offset, true);
    if (length > rest) {
      const problem =
        rest < 0
          ? `the length of element ${found} is cut off`
          : `element ${found} claims ${length} bytes of ${rest}`;
      throw new ProtocolError(`${where}: ${problem}`, excerptOf(data.subarray(offset)));
    }
    offset += 4 + length;
  }
  if (found !== count) {
    throw new ProtocolError(`${where}: the shape has ${count} elements, but BYTES hold ${found}`);
  }
}

/** The protocol has no JSON form for half floats, and JSON none for bytes that are not text. */
function hasJsonForm(tensor: Tensor): boolean {
  if (tensor.datatype === "FP16" || tensor.datatype === "BF16") return false;
  return tensor.datatype !== "BYTES" || bytesElements(tensor).every((element) => isUtf8(element));
}
