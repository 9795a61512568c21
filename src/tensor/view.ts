import { isUtf8 } from "node:buffer";
import type { ElementValue } from "../compare/types.js";
import { elementBytes, elementCount } from "./dtype.js";
import { bf16ToFloat, fp16ToFloat } from "./half.js";
import type { Datatype, Tensor } from "./tensor.js";

const arrayTypes = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
  BYTES: Uint8Array,
} as const satisfies Record<Datatype, unknown>;

/** The typed array that holds a datatype: FP16 and BF16 as their bits, BOOL and BYTES as bytes. */
export type TypedView<D extends Datatype = Datatype> = InstanceType<(typeof arrayTypes)[D]>;

/**
 * The tensor's bytes as the typed array of its datatype. Shares memory with `tensor.data`, unless that starts at an
 * address the type cannot: then a copy. (Wire order is little-endian, as is every platform that Node runs on here.)
 */
export function typedView<D extends Datatype>(tensor: Tensor & { datatype: D }): TypedView<D> {
  const bytes = elementBytes(tensor.datatype) ?? 1;
  const data = tensor.data.byteOffset % bytes === 0 ? tensor.data : new Uint8Array(tensor.data);
  const view = new arrayTypes[tensor.datatype](
    data.buffer as ArrayBuffer,
    data.byteOffset,
    data.byteLength / bytes,
  );
  return view as TypedView<D>;
}

/** The elements of a BYTES tensor, in row-major order, sharing its memory. */
export function bytesElements(tensor: Tensor): Uint8Array[] {
  const { data } = tensor;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const elements: Uint8Array[] = [];
  for (let offset = 0; offset < data.length; ) {
    const start = offset + 4;
    offset = start + view.getUint32(offset, true);
    elements.push(data.subarray(start, offset));
  }
  return elements;
}

/**
 * Reads elements of a BYTES tensor by their flat index, sharing its memory. It takes four bytes for each element, where
 * {@link bytesElements} takes an object.
 */
export function bytesReader(tensor: Tensor): (flatIndex: number) => Uint8Array {
  const { data, shape } = tensor;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const starts = new Uint32Array(elementCount(shape));
  for (let index = 0, offset = 0; index < starts.length; index++) {
    starts[index] = offset + 4;
    offset += 4 + view.getUint32(offset, true);
  }
  return (flatIndex) => {
    const start = starts[flatIndex]!;
    return data.subarray(start, start + view.getUint32(start - 4, true));
  };
}

/**
 * One element as it is shown. What JSON would lose travels as a string: 64-bit integers, `NaN`, `Infinity`,
 * `-Infinity`, `-0`. BYTES are their text, or `base64:…` when they are not UTF-8.
 */
export function elementAt(tensor: Tensor, flatIndex: number): ElementValue {
  return elementReader(tensor)(flatIndex);
}

/** Reads elements as {@link elementAt} does; for several of one tensor. */
export function elementReader({ datatype, data }: Tensor): (flatIndex: number) => ElementValue {
  // The types that models mostly answer with, byte by byte: a DataView takes longer to make than ten elements to read.
  switch (datatype) {
    case "FP32":
      return (i) => shownFloat(float32At(data, 4 * i));
    case "FP16":
      return (i) => shownFloat(fp16ToFloat(wordAt(data, 2 * i)));
    case "BF16":
      return (i) => shownFloat(bf16ToFloat(wordAt(data, 2 * i)));
    case "BYTES":
      return (i) => shownBytes(byteElementAt(data, i));
    default:
      return viewReader(datatype, data);
  }
}

function viewReader(
  datatype: Exclude<Datatype, "FP32" | "FP16" | "BF16" | "BYTES">,
  data: Uint8Array,
): (flatIndex: number) => ElementValue {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return (i) => {
    switch (datatype) {
      case "BOOL":
        return view.getUint8(i) !== 0;
      case "UINT8":
        return view.getUint8(i);
      case "UINT16":
        return view.getUint16(2 * i, true);
      case "UINT32":
        return view.getUint32(4 * i, true);
      case "UINT64":
        return view.getBigUint64(8 * i, true).toString();
      case "INT8":
        return view.getInt8(i);
      case "INT16":
        return view.getInt16(2 * i, true);
      case "INT32":
        return view.getInt32(4 * i, true);
      case "INT64":
        return view.getBigInt64(8 * i, true).toString();
      case "FP64":
        return shownFloat(view.getFloat64(8 * i, true));
    }
  };
}

/** Row-major multi-index of a flat index; `[]` for a scalar. */
export function multiIndex(flatIndex: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  let rest = flatIndex;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const dimension = shape[axis]!;
    index[axis] = rest % dimension;
    rest = Math.floor(rest / dimension);
  }
  if (shape.length > 0) index[0] = rest;
  return index;
}

// Written before every read.
const oneFloat = new Float32Array(1);
const itsBits = new Int32Array(oneFloat.buffer);

function float32At(data: Uint8Array, at: number): number {
  // One write: a read of four single bytes just written would have to wait for all of them.
  itsBits[0] = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
  return oneFloat[0]!;
}

function wordAt(data: Uint8Array, at: number): number {
  return data[at]! | (data[at + 1]! << 8);
}

function byteElementAt(data: Uint8Array, flatIndex: number): Uint8Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let offset = 0;
  for (let index = 0; index < flatIndex; index++) offset += 4 + view.getUint32(offset, true);
  return data.subarray(offset + 4, offset + 4 + view.getUint32(offset, true));
}

function shownBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(bytes) ? buffer.toString("utf8") : `base64:${buffer.toString("base64")}`;
}

function shownFloat(value: number): ElementValue {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return Object.is(value, -0) ? "-0" : String(value);
}
