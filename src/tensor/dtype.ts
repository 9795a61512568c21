import type { Datatype } from "./tensor.js";

const bytesOf: Readonly<Record<Datatype, number | null>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: null,
};

/** Bytes of one element; null for BYTES, whose elements differ in length. */
export function elementBytes(datatype: Datatype): number | null {
  return bytesOf[datatype];
}

/** Whether `value` names a datatype of the Open Inference Protocol. */
export function isDatatype(value: unknown): value is Datatype {
  return typeof value === "string" && Object.hasOwn(bytesOf, value);
}

/**
 * Number of elements of a shape: 1 for a scalar (`[]`), 0 when any dimension is 0. A product beyond 2^53 comes out
 * inexact or infinite, but never below 2^53: whoever reads shapes from outside must refuse it.
 */
export function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, dimension) => product * dimension, 1);
}
