import { elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { typedView } from "../tensor/view.js";
import { createWidener, type WidenableDatatype, type Widener } from "./widen.js";

/** Blocks that stay in the first-level cache together. */
const blockElements = 1024;

/** Some pairs of elements that are finite on both sides, as float64; arrays are valid up to `count`. */
export interface PairBlock {
  primary: Float64Array;
  candidate: Float64Array;
  /** |candidate − primary|; exact before it is rounded to float64, for 64-bit integers too. */
  errors: Float64Array;
  count: number;
}

/**
 * Visits all finite pairs of two tensors of one shape and datatype, in order, a block at a time, so that statistics
 * take no memory that grows with the tensors. Not for BYTES.
 */
export function visitFinitePairs(
  primary: Tensor,
  candidate: Tensor,
  visit: (block: PairBlock) => void,
): void {
  const elements = elementCount(primary.shape);
  const length = Math.min(elements, blockElements);
  const p = numbersOf(primary, length);
  const c = numbersOf(candidate, length);
  const errors = new Float64Array(length);
  const correct = isInteger64(primary) ? exactErrors(primary, candidate) : null;
  for (let from = 0; from < elements; from += length) {
    const to = Math.min(elements, from + length);
    p.load(from, to);
    c.load(from, to);
    let count = 0;
    for (let i = 0; i < to - from; i++) {
      const expected = p.numbers[i]!;
      const actual = c.numbers[i]!;
      if (!(Number.isFinite(expected) && Number.isFinite(actual))) continue;
      p.numbers[count] = expected;
      c.numbers[count] = actual;
      errors[count] = correct ? correct(from + i) : Math.abs(actual - expected);
      count++;
    }
    if (count > 0) visit({ primary: p.numbers, candidate: c.numbers, errors, count });
  }
}

/** Reads any datatype but BYTES as float64, a block at a time; 64-bit integers rounded. */
export function numbersOf(tensor: Tensor, elementsMax: number): Widener {
  if (!isInteger64(tensor)) {
    return createWidener(tensor as Tensor & { datatype: WidenableDatatype }, elementsMax);
  }
  const integers = typedView(tensor);
  const numbers = new Float64Array(elementsMax);
  const load = (from: number, to: number) => {
    for (let i = from; i < to; i++) numbers[i - from] = Number(integers[i]);
  };
  return { numbers, load };
}

type Integer64 = Tensor & { datatype: "INT64" | "UINT64" };

function isInteger64(tensor: Tensor): tensor is Integer64 {
  return tensor.datatype === "INT64" || tensor.datatype === "UINT64";
}

function exactErrors(primary: Tensor, candidate: Tensor): (index: number) => number {
  const p = typedView(primary as Integer64);
  const c = typedView(candidate as Integer64);
  return (index) => {
    const difference = c[index]! - p[index]!;
    return Number(difference < 0n ? -difference : difference);
  };
}
