import { elementBytes } from "../tensor/dtype.js";
import { bf16ToFloat, fp16ToFloat } from "../tensor/half.js";
import type { Datatype, Tensor } from "../tensor/tensor.js";

/** Datatypes whose every value float64 holds exactly. */
export type WidenableDatatype = Exclude<Datatype, "BYTES" | "INT64" | "UINT64">;

/** Fills `numbers` with a range of a tensor's elements, widened to float64 without loss. */
export interface Widener {
  readonly numbers: Float64Array;
  /** Elements [from, to); `to − from` is at most the length of `numbers`. */
  load(from: number, to: number): void;
}

const typedArrays = {
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  FP32: Float32Array,
} as const;

const converters = {
  BOOL: { bits: Uint8Array, convert: (byte: number) => (byte === 0 ? 0 : 1) },
  FP16: { bits: Uint16Array, convert: fp16ToFloat },
  BF16: { bits: Uint16Array, convert: bf16ToFloat },
} as const;

/**
 * Widens a tensor block by block. A block is first copied to aligned memory: binary tensors lie anywhere in a body,
 * and a copy of a block stays in the processor's cache.
 *
 * @param elementsMax size of a block
 */
export function createWidener(
  tensor: Tensor & { datatype: WidenableDatatype },
  elementsMax: number,
): Widener {
  const { data, datatype } = tensor;
  const size = elementBytes(datatype)!;
  const numbers = new Float64Array(elementsMax);
  if (datatype === "FP64") {
    const bytes = new Uint8Array(numbers.buffer);
    return { numbers, load: (from, to) => bytes.set(data.subarray(from * size, to * size)) };
  }
  const bytes = new Uint8Array(elementsMax * size);
  const copy = (from: number, to: number) => bytes.set(data.subarray(from * size, to * size));
  if (datatype === "BOOL" || datatype === "FP16" || datatype === "BF16") {
    const { bits: Bits, convert } = converters[datatype];
    const narrow = new Bits(bytes.buffer);
    const load = (from: number, to: number) => {
      copy(from, to);
      for (let i = 0; i < to - from; i++) numbers[i] = convert(narrow[i]!);
    };
    return { numbers, load };
  }
  const narrow = new typedArrays[datatype](bytes.buffer);
  const load = (from: number, to: number) => {
    copy(from, to);
    numbers.set(narrow);
  };
  return { numbers, load };
}
