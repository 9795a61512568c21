import { elementCount } from "../tensor/dtype.js";
import type { Datatype, Tensor } from "../tensor/tensor.js";
import { numbersOf } from "./pairs.js";

const blockElements = 4096;

/** What a policy says of casts: none, all that lose nothing by themselves, or the datatypes it names. */
export type CastPolicy = boolean | readonly Datatype[] | undefined;

/** From the coarsest to the finest. */
const floats: readonly Datatype[] = ["BF16", "FP16", "FP32", "FP64"];
const integers: Partial<Record<Datatype, { bits: number; signed: boolean }>> = {
  UINT8: { bits: 8, signed: false },
  UINT16: { bits: 16, signed: false },
  UINT32: { bits: 32, signed: false },
  UINT64: { bits: 64, signed: false },
  INT8: { bits: 8, signed: true },
  INT16: { bits: 16, signed: true },
  INT32: { bits: 32, signed: true },
  INT64: { bits: 64, signed: true },
};

/**
 * Both tensors in a datatype that holds every value of either, or null when the policy does not allow the candidate's
 * datatype in place of the primary's. Nothing is rounded.
 *
 * `true` allows any float for a float, and for an integer one that holds all values of the primary's. A list allows
 * the candidate the datatypes in it, narrower integers too, since an explicit list knows what it asks for. Never
 * allowed: floats for integers or the reverse, BOOL or BYTES for anything, and a signed 64-bit integer for an
 * unsigned one or the reverse, which no datatype holds both.
 */
export function castPair(primary: Tensor, candidate: Tensor, cast: CastPolicy): [Tensor, Tensor] | null {
  const common = commonDatatype(primary.datatype, candidate.datatype);
  if (common === null || !isAllowed(candidate.datatype, common, cast)) return null;
  return [widened(primary, common), widened(candidate, common)];
}

function isAllowed(candidate: Datatype, common: Datatype, cast: CastPolicy): boolean {
  if (cast === undefined || typeof cast === "boolean") {
    return cast === true && (floats.includes(candidate) || candidate === common);
  }
  return cast.includes(candidate);
}

/** Of two datatypes that a cast brought together, the one with the longer steps from number to number. */
export function coarser(a: Datatype, b: Datatype): Datatype {
  return floats.indexOf(a) < floats.indexOf(b) ? a : b;
}

type Common = keyof typeof arrays;

/** The narrowest datatype that holds every value of both. */
function commonDatatype(a: Datatype, b: Datatype): Common | null {
  if (floats.includes(a) && floats.includes(b)) return a === "FP64" || b === "FP64" ? "FP64" : "FP32";
  const x = integers[a];
  const y = integers[b];
  if (!x || !y) return null;
  const signed = x.signed || y.signed;
  // Among signed integers, an unsigned one needs a bit more than it has: the next size.
  const bitsOf = (one: { bits: number; signed: boolean }) =>
    signed && !one.signed ? one.bits * 2 : one.bits;
  const bits = Math.max(bitsOf(x), bitsOf(y));
  return bits > 64 ? null : (`${signed ? "INT" : "UINT"}${bits}` as Common);
}

const arrays = {
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const satisfies Partial<Record<Datatype, unknown>>;

function widened(tensor: Tensor, datatype: Common): Tensor {
  if (tensor.datatype === datatype) return tensor;
  const count = elementCount(tensor.shape);
  const length = Math.min(count, blockElements);
  const { numbers, load } = numbersOf(tensor, length);
  const wide = new arrays[datatype](count);
  for (let from = 0; from < count; from += length) {
    const to = Math.min(count, from + length);
    load(from, to);
    // An integer of 64 bits is never what is widened, so every number is exact.
    if (wide instanceof BigInt64Array || wide instanceof BigUint64Array) {
      for (let i = from; i < to; i++) wide[i] = BigInt(numbers[i - from]!);
    } else wide.set(numbers.subarray(0, to - from), from);
  }
  return { ...tensor, datatype, data: new Uint8Array(wide.buffer) };
}
