import { elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { typedView } from "../tensor/view.js";
import type { DecisionPolicy } from "./policy.js";
import type { OutputComparison } from "./types.js";
import { createWidener, type WidenableDatatype, type Widener } from "./widen.js";

/** How many decisions of one output are named. */
const shownMax = 16;
/** The decision of a row with NaN in it: NaN has no place in an order, so nothing was decided. */
const undecided = "none";
/** Elements read at a time; a longer row is read whole. */
const blockElements = 4096;

/**
 * What the two sides decide: per row of the last axis for `argmax` and `topk`, per element for `threshold`. It is a
 * flip when any of these decisions differs. One decision is named by its label: the class index; the k indices, `3>1`
 * when ordered, else `1,3`; `above` (value ≥ threshold) or `below`. Of several decisions those that differ are named,
 * as `row:label`, else the first; 16 at most.
 *
 * Among equal scores the lowest index wins, as with NumPy. 64-bit integers are ordered as float64.
 *
 * @returns null when there is nothing to decide from: no elements, or BYTES
 */
export function decide(
  primary: Tensor,
  candidate: Tensor,
  policy: DecisionPolicy,
): OutputComparison["decision"] {
  const elements = elementCount(primary.shape);
  if (elements === 0 || primary.datatype === "BYTES") return null;
  const rowLength = policy.type === "threshold" ? 1 : (primary.shape.at(-1) ?? 1);
  const rows = elements / rowLength;
  const expected = decisionsOf(primary, rowLength, policy);
  const actual = decisionsOf(candidate, rowLength, policy);
  const flipped: number[] = [];
  for (let row = 0; row < rows && flipped.length < shownMax; row++) {
    if (expected(row) !== actual(row)) flipped.push(row);
  }
  const flip = flipped.length > 0;
  if (rows === 1) return { from: expected(0), to: actual(0), flip };
  const shown = flip ? flipped : Array.from({ length: Math.min(rows, shownMax) }, (_, row) => row);
  const named = (labelOf: LabelOf) => shown.map((row) => `${row}:${labelOf(row)}`).join(" ");
  return { from: named(expected), to: named(actual), flip };
}

/** The label of a row's decision. */
type LabelOf = (row: number) => string;

/** Reads rows a block at a time, since a whole output as float64 can be eight times its size. */
function decisionsOf(tensor: Tensor, rowLength: number, policy: DecisionPolicy): LabelOf {
  const count = elementCount(tensor.shape);
  const blockLength = Math.min(count, Math.max(1, Math.floor(blockElements / rowLength)) * rowLength);
  const { numbers, load } = widenerOf(tensor, blockLength);
  let loaded = -1;
  return (row) => {
    const first = row * rowLength;
    const block = Math.floor(first / blockLength);
    if (block !== loaded) {
      load(block * blockLength, Math.min(count, (block + 1) * blockLength));
      loaded = block;
    }
    return label(numbers, first - block * blockLength, rowLength, policy);
  };
}

function label(numbers: Float64Array, first: number, length: number, policy: DecisionPolicy): string {
  for (let i = first; i < first + length; i++) if (Number.isNaN(numbers[i])) return undecided;
  switch (policy.type) {
    case "threshold":
      return numbers[first]! >= policy.value ? "above" : "below";
    case "argmax":
      return String(best(numbers, first, length, 1)[0]);
    case "topk": {
      const indices = best(numbers, first, length, policy.k);
      return policy.ordered ? indices.join(">") : indices.sort((a, b) => a - b).join(",");
    }
  }
}

/** Places, from the row's beginning, of its k highest scores, highest first. */
function best(numbers: Float64Array, first: number, length: number, k: number): number[] {
  const places: number[] = [];
  let lowest = -Infinity;
  for (let place = 0; place < length; place++) {
    const score = numbers[first + place]!;
    if (places.length === k && !(score > lowest)) continue;
    let at = places.length;
    while (at > 0 && numbers[first + places[at - 1]!]! < score) at--;
    places.splice(at, 0, place);
    if (places.length > k) places.pop();
    lowest = numbers[first + places.at(-1)!]!;
  }
  return places;
}

function widenerOf(tensor: Tensor, elementsMax: number): Widener {
  if (tensor.datatype !== "INT64" && tensor.datatype !== "UINT64") {
    return createWidener(tensor as Tensor & { datatype: WidenableDatatype }, elementsMax);
  }
  const integers = typedView(tensor as Tensor & { datatype: "INT64" | "UINT64" });
  const numbers = new Float64Array(elementsMax);
  const load = (from: number, to: number) => {
    for (let i = from; i < to; i++) numbers[i - from] = Number(integers[i]);
  };
  return { numbers, load };
}
