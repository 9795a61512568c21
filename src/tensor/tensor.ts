/** The datatypes of the Open Inference Protocol (V2). */
export const datatypes = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "BF16",
  "FP32",
  "FP64",
  "BYTES",
] as const;

export type Datatype = (typeof datatypes)[number];

/**
 * A tensor as it travels on the wire: little-endian, row-major, tightly packed. BYTES elements are a u32 length
 * and that many bytes each. Tensors decoded from JSON carry the same bytes, so the form a client chose is forgotten.
 *
 * Invariant: `data.length` agrees with `shape` and `datatype`; the codec is the only maker of tensors from bytes.
 */
export interface Tensor {
  name: string;
  datatype: Datatype;
  shape: readonly number[];
  data: Uint8Array;
}
