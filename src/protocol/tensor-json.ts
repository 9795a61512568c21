import { elementBytes } from "../tensor/dtype.js";
import { bf16ToFloat, floatToBf16, floatToFp16, fp16ToFloat } from "../tensor/half.js";
import type { Datatype, Tensor } from "../tensor/tensor.js";
import { bytesElements, typedView } from "../tensor/view.js";
import { described, ProtocolError, shaped } from "./error.js";
import { isShared } from "./stand-in-numbers.js";

/** What JSON holds of one element. */
type JsonElement = number | bigint | boolean | string;

/**
 * The wire bytes of a tensor's JSON `data`: a flat list of `count` elements, or nested exactly as `shape`. `where`
 * names the tensor in messages. FP16 and BF16 are taken as numbers, though the protocol has no JSON form for them,
 * since some servers write them so.
 */
export function bytesOfJson(
  where: string,
  datatype: Datatype,
  shape: readonly number[],
  count: number,
  data: unknown,
): Uint8Array {
  const elements = flatElements(where, shape, count, data);
  if (datatype === "BYTES") return bytesOfStrings(where, elements);
  if (datatype === "FP32" && isShared(elements)) return bytesOfShared(elements);
  const bytes = new Uint8Array(count * elementBytes(datatype)!);
  const wide = datatype === "FP32" || datatype === "FP64";
  const written = wide
    ? finiteWritten(typedView({ name: "", shape: [], datatype, data: bytes }), elements)
    : 0;
  if (written === count) return bytes;
  const put = writerOf(datatype, bytes);
  for (let index = written; index < count; index++) {
    if (!put(index, elements[index])) {
      const found = described(elements[index]);
      throw new ProtocolError(`${where}: element ${index} must be ${wanted(datatype)}, found ${found}`);
    }
  }
  return bytes;
}

/** FP32 of lists that messages share, which hold finite numbers only: as many bytes as they have, shared as well. */
const bytesOfSharedLists = new WeakMap<readonly unknown[], Uint8Array>();

function bytesOfShared(list: readonly unknown[]): Uint8Array {
  const known = bytesOfSharedLists.get(list);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(new Float32Array(list as readonly number[]).buffer);
  bytesOfSharedLists.set(list, bytes);
  return bytes;
}

/** Writes elements, which are nearly always all finite numbers, as far as they are. @returns how many that is */
function finiteWritten(view: Float32Array | Float64Array, elements: readonly unknown[]): number {
  for (let index = 0; index < view.length; index++) {
    const element = elements[index];
    if (typeof element !== "number") return index;
    view[index] = element;
    if (!Number.isFinite(view[index])) return index;
  }
  return view.length;
}

/** The elements of a tensor as JSON holds them, flat. BYTES must be UTF-8. */
export function jsonElements(tensor: Tensor): JsonElement[] {
  if (tensor.datatype === "BYTES") {
    return bytesElements(tensor).map((element) => Buffer.from(element).toString("utf8"));
  }
  const view = Array.from<number | bigint>(typedView(tensor));
  if (tensor.datatype === "BOOL") return view.map((byte) => byte !== 0);
  if (tensor.datatype === "FP16") return view.map((bits) => fp16ToFloat(Number(bits)));
  if (tensor.datatype === "BF16") return view.map((bits) => bf16ToFloat(Number(bits)));
  return view;
}

function flatElements(where: string, shape: readonly number[], count: number, data: unknown): unknown[] {
  const isFlat = Array.isArray(data) && (shape.length < 2 || !Array.isArray(data[0]));
  if (isFlat) {
    if (data.length !== count) throw wrongCount(where, shape, count, data.length);
    return data;
  }
  const elements: unknown[] = [];
  collect(where, shape, 0, data, elements);
  return elements;
}

function collect(
  where: string,
  shape: readonly number[],
  axis: number,
  part: unknown,
  into: unknown[],
): void {
  if (axis === shape.length) {
    into.push(part);
    return;
  }
  if (!Array.isArray(part) || part.length !== shape[axis]) {
    throw new ProtocolError(
      `${where}: nested data must have ${shape[axis]} elements along axis ${axis}, found ${described(part)}`,
    );
  }
  for (const inner of part) collect(where, shape, axis + 1, inner, into);
}

function wrongCount(where: string, shape: readonly number[], count: number, found: number): ProtocolError {
  return new ProtocolError(`${where}: shape ${shaped(shape)} has ${count} elements, but data has ${found}`);
}

function bytesOfStrings(where: string, elements: readonly unknown[]): Uint8Array {
  let size = 0;
  elements.forEach((element, index) => {
    if (!isText(element)) {
      const found = described(element);
      throw new ProtocolError(`${where}: element ${index} must be a string of Unicode text, found ${found}`);
    }
    size += 4 + Buffer.byteLength(element);
  });
  const bytes = new Uint8Array(size);
  const buffer = Buffer.from(bytes.buffer);
  let offset = 0;
  for (const element of elements as string[]) {
    const length = buffer.write(element, offset + 4);
    offset = buffer.writeUInt32LE(length, offset) + length;
  }
  return bytes;
}

/** Half a surrogate pair has no UTF-8 form: it would silently become U+FFFD. */
function isText(element: unknown): element is string {
  return typeof element === "string" && !/\p{Surrogate}/u.test(element);
}

type Writer = (index: number, element: unknown) => boolean;

/** Writes elements into wire bytes; false when an element does not fit the datatype. */
function writerOf(datatype: Exclude<Datatype, "BYTES">, data: Uint8Array): Writer {
  const tensor = { name: "", shape: [], data };
  switch (datatype) {
    case "BOOL":
      return (index, element) => {
        const isBoolean = element === true || element === false || element === 0 || element === 1;
        if (isBoolean) data[index] = Number(element);
        return isBoolean;
      };
    case "UINT8":
    case "UINT16":
    case "UINT32":
    case "INT8":
    case "INT16":
    case "INT32": {
      const view = typedView({ ...tensor, datatype });
      return (index, element) => {
        if (typeof element !== "number") return false;
        view[index] = element;
        return view[index] === element;
      };
    }
    case "UINT64":
    case "INT64": {
      const view = typedView({ ...tensor, datatype });
      return (index, element) => {
        const isInteger = typeof element === "bigint" || Number.isSafeInteger(element);
        if (!isInteger) return false;
        const integer = BigInt(element as number | bigint);
        view[index] = integer;
        return view[index] === integer;
      };
    }
    case "FP16":
    case "BF16": {
      const view = typedView({ ...tensor, datatype });
      const toBits = datatype === "FP16" ? floatToFp16 : floatToBf16;
      const toFloat = datatype === "FP16" ? fp16ToFloat : bf16ToFloat;
      return floatWriter((index, value) => {
        view[index] = toBits(value);
        return toFloat(view[index]!);
      });
    }
    case "FP32":
    case "FP64": {
      const view = typedView({ ...tensor, datatype });
      return floatWriter((index, value) => {
        view[index] = value;
        return view[index]!;
      });
    }
  }
}

/** A finite number that would become infinite does not fit. `store` gives back what it stored. */
function floatWriter(store: (index: number, value: number) => number): Writer {
  return (index, element) => {
    if (typeof element !== "number" && typeof element !== "bigint") return false;
    const value = Number(element);
    return Number.isFinite(store(index, value)) || !Number.isFinite(value);
  };
}

function wanted(datatype: Datatype): string {
  if (datatype === "BOOL") return "true or false";
  return datatype.includes("INT") ? `an integer within ${datatype}` : `a number within ${datatype}`;
}
