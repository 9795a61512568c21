import { elementBytes, elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ElementRule, Kernel, Measurement } from "./kernel.js";

/** Where a float keeps its exponent: all ones there mean NaN or infinity. */
const exponents = {
  FP16: { Word: Uint16Array, first: 0, stride: 1, mask: 0x7c00 },
  BF16: { Word: Uint16Array, first: 0, stride: 1, mask: 0x7f80 },
  FP32: { Word: Uint32Array, first: 0, stride: 1, mask: 0x7f800000 },
  FP64: { Word: Uint32Array, first: 1, stride: 2, mask: 0x7ff00000 },
} as const;

/**
 * The measurement of two tensors whose bytes are the same, without the arithmetic. Floats are scanned for NaN, which
 * equal bytes do not excuse; if there is any, or an infinity to count, the kernel does the work after all.
 */
export function measureIdentical(tensor: Tensor, rule: ElementRule, kernel: Kernel): Measurement {
  if (hasNonFinite(tensor)) return kernel(tensor, tensor, rule);
  const elements = elementCount(tensor.shape);
  const hasElements = elements > 0;
  const isZero = !hasElements || allZero(tensor);
  return {
    mismatches: 0,
    nonFiniteMismatches: 0,
    nonFinitePrimary: 0,
    nonFiniteCandidate: 0,
    maxAbs: hasElements ? 0 : null,
    maxRel: isZero ? null : 0,
    meanAbs: hasElements ? 0 : null,
    rmse: hasElements ? 0 : null,
    cosine: isZero ? null : 1,
    histogram: { equal: elements, decades: [] },
    atolToPass: hasElements ? 0 : null,
    worst: [],
  };
}

function hasNonFinite({ datatype, data }: Tensor): boolean {
  if (!(datatype in exponents)) return false;
  const { Word, first, stride, mask } = exponents[datatype as keyof typeof exponents];
  const isAligned = data.byteOffset % Word.BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset, byteLength } = isAligned ? data : new Uint8Array(data);
  const words = new Word(buffer as ArrayBuffer, byteOffset, byteLength / Word.BYTES_PER_ELEMENT);
  for (let i = first; i < words.length; i += stride) {
    if ((words[i]! & mask) === mask) return true;
  }
  return false;
}

/** Whether every element is 0 or −0: all bits clear but a float's sign. Nearly always known at the first element. */
function allZero({ datatype, data }: Tensor): boolean {
  const size = elementBytes(datatype)!;
  const isFloat = datatype in exponents;
  return data.every((byte, i) => (isFloat && i % size === size - 1 ? byte & 0x7f : byte) === 0);
}
