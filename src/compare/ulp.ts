import { floatToBf16, floatToFp16 } from "../tensor/half.js";
import type { Datatype, Tensor } from "../tensor/tensor.js";
import { typedView } from "../tensor/view.js";
import { visitFinitePairs } from "./pairs.js";

/** The distance between two tensors in units in the last place. */
export interface UlpMeasurement {
  /** null: no finite pair. */
  maxUlps: number | null;
  /** Finite pairs further apart than is allowed. */
  mismatches: number;
}

/**
 * Measures how many steps, each from one number of the datatype to the next, lie between the elements of each finite
 * pair: 0 for equal ones (0 and −0 too), 1 for neighbours, across zero through all the subnormals. Of integers and BOOL
 * it is |c − p|.
 *
 * Bits of an IEEE 754 number, read as sign and magnitude, number the floats in their order; the distance is the
 * difference of these numbers, as in NumPy's `nulp_diff`. Distances up to 2^53 are exact.
 *
 * @param primary of the same shape and datatype as `candidate`
 * @param datatype whose steps are counted; floats are first rounded to it
 */
export function measureUlps(
  primary: Tensor,
  candidate: Tensor,
  allowed: number,
  datatype: Datatype = primary.datatype,
): UlpMeasurement {
  if (datatype === primary.datatype && (datatype === "FP16" || datatype === "BF16")) {
    return measureHalves(primary, candidate, allowed, exponentMasks[datatype]);
  }
  const distance = distanceIn(datatype);
  let maxUlps: number | null = null;
  let mismatches = 0;
  visitFinitePairs(primary, candidate, (block) => {
    maxUlps ??= 0;
    for (let i = 0; i < block.count; i++) {
      const error = block.errors[i]!;
      if (error === 0) continue;
      const ulps = distance ? distance(block.primary[i]!, block.candidate[i]!) : error;
      if (ulps > maxUlps) maxUlps = ulps;
      if (ulps > allowed) mismatches++;
    }
  });
  return { maxUlps, mismatches };
}

const exponentMasks = { FP16: 0x7c00, BF16: 0x7f80 } as const;

/** Straight from the bits: rounding a number to 16 bits takes far longer than telling two of them apart. */
function measureHalves(
  primary: Tensor,
  candidate: Tensor,
  allowed: number,
  exponentMask: number,
): UlpMeasurement {
  const p = typedView(primary as Tensor & { datatype: "FP16" | "BF16" });
  const c = typedView(candidate as Tensor & { datatype: "FP16" | "BF16" });
  const isFinite16 = (bits: number) => (bits & exponentMask) !== exponentMask;
  let maxUlps: number | null = null;
  let mismatches = 0;
  for (let i = 0; i < p.length; i++) {
    if (!(isFinite16(p[i]!) && isFinite16(c[i]!))) continue;
    const ulps = Math.abs(ordinal16(c[i]!) - ordinal16(p[i]!));
    if (maxUlps === null || ulps > maxUlps) maxUlps = ulps;
    if (ulps > allowed) mismatches++;
  }
  return { maxUlps, mismatches };
}

/** null: not a float. */
function distanceIn(datatype: Datatype): ((p: number, c: number) => number) | null {
  switch (datatype) {
    case "FP64":
      return doubleDistance();
    case "FP32":
      return singleDistance();
    case "FP16":
      return (p, c) => Math.abs(ordinal16(floatToFp16(c)) - ordinal16(floatToFp16(p)));
    case "BF16":
      return (p, c) => Math.abs(ordinal16(floatToBf16(c)) - ordinal16(floatToBf16(p)));
    default:
      return null;
  }
}

function ordinal16(bits: number): number {
  return bits & 0x8000 ? -(bits & 0x7fff) : bits;
}

function singleDistance() {
  const numbers = new Float32Array(2);
  const bits = new Int32Array(numbers.buffer);
  const ordinal = (word: number) => (word < 0 ? -(word & 0x7fff_ffff) : word);
  return (p: number, c: number) => {
    numbers[0] = p;
    numbers[1] = c;
    return Math.abs(ordinal(bits[1]!) - ordinal(bits[0]!));
  };
}

/** In two halves: the numbers of doubles need 64 bits, of which float64 holds 53. Their difference is rounded once. */
function doubleDistance() {
  const numbers = new Float64Array(2);
  const words = new Uint32Array(numbers.buffer);
  return (p: number, c: number) => {
    numbers[0] = p;
    numbers[1] = c;
    const pSign = words[1]! >>> 31 === 1 ? -1 : 1;
    const cSign = words[3]! >>> 31 === 1 ? -1 : 1;
    const high = cSign * (words[3]! & 0x7fff_ffff) - pSign * (words[1]! & 0x7fff_ffff);
    const low = cSign * words[2]! - pSign * words[0]!;
    return Math.abs(high * 2 ** 32 + low);
  };
}
