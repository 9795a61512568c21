import { elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { bytesReader } from "../tensor/view.js";
import { type Decider, setChange, undecided } from "./decider.js";
import type { DecisionPolicy } from "./decision-policy.js";

type ClassificationPolicy = DecisionPolicy & { type: "classification" };

/**
 * Decides from classification strings: BYTES elements `value:index` or `value:index:label`, highest value first in
 * each row of the last axis, as Triton's classification extension answers. The label of a decision is the first k
 * classes, each as `index` or `index:label`: `7:cat>3:dog` when ordered, else sorted by index, `3:dog,7:cat`. A row in
 * which one of these is no such string, or has NaN for its value, decides nothing.
 *
 * @returns null for other datatypes, and where there are no elements
 */
export function classificationDecider(
  primary: Tensor,
  candidate: Tensor,
  { k, ordered = false }: ClassificationPolicy,
): Decider | null {
  if (primary.datatype !== "BYTES") return null;
  const elements = elementCount(primary.shape);
  const rowLength = primary.shape.at(-1) ?? 1;
  if (elements === 0) return null;
  const expected = bytesReader(primary);
  const actual = bytesReader(candidate);
  const places = Array.from({ length: Math.min(k, rowLength) }, (_, place) => place);
  const classes = (elementAt: (flatIndex: number) => Uint8Array, row: number) =>
    classesOf(
      places.map((place) => elementAt(row * rowLength + place)),
      ordered,
    );
  const separator = ordered ? ">" : ",";
  const decider: Decider = {
    rows: elements / rowLength,
    labels: (row) => [classes(expected, row).join(separator), classes(actual, row).join(separator)],
  };
  if (ordered) return decider;
  return { ...decider, change: (row) => setChange(classes(expected, row), classes(actual, row)) };
}

function classesOf(elements: readonly Uint8Array[], ordered: boolean): string[] {
  const classes: { index: number; name: string }[] = [];
  for (const element of elements) {
    const parts = /^([^:]+):(\d+)(?::(.*))?$/s.exec(Buffer.from(element).toString("utf8"));
    if (parts === null || /^[+-]?nan/i.test(parts[1]!)) return [undecided];
    const index = Number(parts[2]);
    classes.push({ index, name: parts[3] === undefined ? String(index) : `${index}:${parts[3]}` });
  }
  if (!ordered) classes.sort((a, b) => a.index - b.index);
  return classes.map(({ name }) => name);
}
