import type { Tensor } from "../tensor/tensor.js";
import type { Decider } from "./decider.js";
import type { BoxesPolicy } from "./decision-policy.js";
import { numbersOf } from "./pairs.js";

/** Boxes of one image that are matched: matching takes time that grows with their square. */
const boxesMax = 500;

/** Two such areas can still be added. */
const areaMax = 2 ** 1000;

interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
  score: number;
  /** 0 for all when the policy names no column for it. */
  label: number;
}

/**
 * Decides which boxes there are: per image, the pairs with the largest intersection over union go together first, of
 * one class only, down to the policy's `iou`; what is left has no counterpart. The labels are `3 boxes` and, where all
 * are matched, `3 boxes`, else `4 boxes: 2 matched, 1 missing, 2 extra`.
 *
 * A row is a box when its coordinates are finite, its width, height and area more than 0 and within what float64 can
 * reckon with, its class is not NaN, and its score, if there is a column for it, is at least `scoreMin` (default:
 * above 0): rows that only fill an output up are none. Of more than
 * 500 in an image, those with the highest scores count, else the first.
 *
 * @returns null for BYTES, and for outputs whose axes, but that of the boxes, do not agree with each other and the policy
 */
export function boxDecider(primary: Tensor, candidate: Tensor, policy: BoxesPolicy): Decider | null {
  const axis = primary.shape.length - 2;
  const columns = primary.shape.at(-1) ?? 0;
  const isAlike =
    primary.shape.length === candidate.shape.length &&
    primary.shape.every((dimension, i) => i === axis || dimension === candidate.shape[i]);
  const columnsMin = Math.max(3, policy.scores ?? 3, policy.classes ?? 3) + 1;
  if (primary.datatype === "BYTES" || axis < 0 || !isAlike || columns < columnsMin) return null;
  const expected = imagesOf(primary, policy);
  const actual = imagesOf(candidate, policy);
  return {
    rows: primary.shape.slice(0, axis).reduce((product, dimension) => product * dimension, 1),
    labels(image) {
      const before = expected(image);
      const after = actual(image);
      const matched = matches(before, after, policy.iou);
      const from = boxes(before.length);
      if (matched === before.length && matched === after.length) return [from, from];
      const missing = before.length - matched;
      const extra = after.length - matched;
      return [from, `${boxes(after.length)}: ${matched} matched, ${missing} missing, ${extra} extra`];
    },
  };
}

function boxes(count: number): string {
  return count === 1 ? "1 box" : `${count} boxes`;
}

/** The boxes of an image. */
function imagesOf(tensor: Tensor, policy: BoxesPolicy): (image: number) => Box[] {
  const columns = tensor.shape.at(-1)!;
  const length = tensor.shape.at(-2)! * columns;
  const { numbers, load } = numbersOf(tensor, length);
  return (image) => {
    load(image * length, (image + 1) * length);
    const found: Box[] = [];
    for (let at = 0; at < length; at += columns) {
      const box = boxOf(numbers.subarray(at, at + columns), policy);
      if (isBox(box, policy)) found.push(box);
    }
    // Stable: among equal scores, or without any, the first stay first.
    if (found.length > boxesMax) found.sort((a, b) => b.score - a.score);
    return found.slice(0, boxesMax);
  };
}

function boxOf(row: Float64Array, { format, scores, classes }: BoxesPolicy): Box {
  const [a, b, c, d] = row as unknown as [number, number, number, number];
  const others = {
    score: scores === undefined ? 1 : row[scores]!,
    label: classes === undefined ? 0 : row[classes]!,
  };
  switch (format) {
    case "xyxy":
      return { left: a, top: b, right: c, bottom: d, ...others };
    case "xywh":
      return { left: a, top: b, right: a + c, bottom: b + d, ...others };
    case "cxcywh":
      return { left: a - c / 2, top: b - d / 2, right: a + c / 2, bottom: b + d / 2, ...others };
  }
}

function isBox(box: Box, { scoreMin }: BoxesPolicy): boolean {
  const { left, top, right, bottom, score, label } = box;
  const hasPlace = [left, top, right, bottom].every(Number.isFinite) && right > left && bottom > top;
  const area = areaOf(box);
  const counts = scoreMin === undefined ? score > 0 : score >= scoreMin;
  return hasPlace && area > 0 && area < areaMax && counts && !Number.isNaN(label);
}

/** How many boxes find their counterpart. */
function matches(before: readonly Box[], after: readonly Box[], iouMin: number): number {
  const pairs: { i: number; j: number; iou: number }[] = [];
  before.forEach((one, i) => {
    after.forEach((other, j) => {
      const iou = one.label === other.label ? intersectionOverUnion(one, other) : 0;
      if (iou >= iouMin) pairs.push({ i, j, iou });
    });
  });
  pairs.sort((a, b) => b.iou - a.iou || a.i - b.i || a.j - b.j);
  const takenBefore = new Set<number>();
  const takenAfter = new Set<number>();
  for (const { i, j } of pairs) {
    if (takenBefore.has(i) || takenAfter.has(j)) continue;
    takenBefore.add(i);
    takenAfter.add(j);
  }
  return takenBefore.size;
}

function intersectionOverUnion(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (!(width > 0 && height > 0)) return 0;
  const shared = width * height;
  return shared / (areaOf(a) + areaOf(b) - shared);
}

function areaOf({ left, top, right, bottom }: Box): number {
  return (right - left) * (bottom - top);
}
