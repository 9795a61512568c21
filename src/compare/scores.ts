import { elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Decider, setChange, undecided } from "./decider.js";
import type { DecisionPolicy } from "./decision-policy.js";
import { numbersOf } from "./pairs.js";

/** Elements read at a time; a longer row is read whole. */
const blockElements = 4096;

type ScorePolicy = DecisionPolicy & { type: "argmax" | "topk" | "threshold" };

/**
 * Decides from scores: per row of the last axis for `argmax` and `topk`, per element for `threshold`. Labels are the
 * class index; the k indices, `3>1` when ordered, else `1,3`; `above` (value ≥ threshold) or `below`.
 *
 * Among equal scores the lowest index wins, as with NumPy. 64-bit integers are ordered as float64.
 *
 * @returns null for BYTES, and where there are no elements
 */
export function scoreDecider(primary: Tensor, candidate: Tensor, policy: ScorePolicy): Decider | null {
  const elements = elementCount(primary.shape);
  if (elements === 0 || primary.datatype === "BYTES") return null;
  const rowLength = policy.type === "threshold" ? 1 : (primary.shape.at(-1) ?? 1);
  const expected = labelsOf(primary, rowLength, policy);
  const actual = labelsOf(candidate, rowLength, policy);
  const decider: Decider = {
    rows: elements / rowLength,
    labels: (row) => [expected(row), actual(row)],
  };
  if (policy.type !== "topk" || policy.ordered) return decider;
  return { ...decider, change: (row) => setChange(expected(row).split(","), actual(row).split(",")) };
}

/** Reads rows a block at a time, since a whole output as float64 can be eight times its size. */
function labelsOf(tensor: Tensor, rowLength: number, policy: ScorePolicy): (row: number) => string {
  const count = elementCount(tensor.shape);
  const blockLength = Math.min(count, Math.max(1, Math.floor(blockElements / rowLength)) * rowLength);
  const { numbers, load } = numbersOf(tensor, blockLength);
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

function label(numbers: Float64Array, first: number, length: number, policy: ScorePolicy): string {
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
