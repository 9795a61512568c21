import { elementBytes, elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ElementRule, Kernel, Measurement } from "./kernel.js";

/**
 * How a 32-bit word of floats tells one that is not finite: its exponent is all ones, so that one more, the exponent's
 * lowest bit, carries into where the sign was. Two halves lie in a word; of a float64 only the upper word has one.
 */
const exponents = {
  FP16: { mask: 0x7c007c00, one: 0x04000400, carry: 0x80008000, first: 0, stride: 1 },
  BF16: { mask: 0x7f807f80, one: 0x00800080, carry: 0x80008000, first: 0, stride: 1 },
  FP32: { mask: 0x7f800000, one: 0x00800000, carry: 0x80000000, first: 0, stride: 1 },
  FP64: { mask: 0x7ff00000, one: 0x00100000, carry: 0x80000000, first: 1, stride: 2 },
} as const;

/** Bytes scanned at a time: they are copied, to aligned memory, and stay in the first-level cache. */
const scanBytes = 16_384;

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
  const { mask, one, carry, first, stride } = exponents[datatype as keyof typeof exponents];
  const words = new Int32Array(Math.ceil(Math.min(data.length, scanBytes) / 4));
  const bytes = new Uint8Array(words.buffer);
  for (let start = 0; start < data.length; start += scanBytes) {
    // What a last, shorter piece leaves of the one before was finite.
    bytes.set(data.length <= scanBytes ? data : data.subarray(start, start + scanBytes));
    let carried = 0;
    for (let i = first; i < words.length; i += stride) carried |= (words[i]! & mask) + one;
    if ((carried & carry) !== 0) return true;
  }
  return false;
}

/** Whether every element is 0 or −0: all bits clear but a float's sign. Nearly always known at the first element. */
function allZero({ datatype, data }: Tensor): boolean {
  const size = elementBytes(datatype)!;
  const isFloat = datatype in exponents;
  return data.every((byte, i) => (isFloat && i % size === size - 1 ? byte & 0x7f : byte) === 0);
}
