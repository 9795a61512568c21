import { ProtocolError } from "../protocol/error.js";
import { parseJson } from "../protocol/json.js";
import { elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { worstMax } from "./kernel.js";
import { differencesMax, differencesOf, isSameJson } from "./structure.js";
import type { StructuralDifference } from "./types.js";

/** What comparing two BYTES tensors came to. */
export interface TextMeasurement {
  mismatches: number;
  /** Flat indices of the first that mismatch. */
  worst: readonly number[];
  /** Under `json` only. */
  differences: readonly StructuralDifference[];
}

/**
 * Compares two BYTES tensors of one shape, element by element: their bytes, or, when `asJson`, what they parse to.
 * Elements with the same bytes are equal in any case; one that is not JSON equals none other.
 */
export function compareTexts(primary: Tensor, candidate: Tensor, asJson: boolean): TextMeasurement {
  const elements = elementCount(primary.shape);
  const differences: StructuralDifference[] = [];
  const worst: number[] = [];
  let mismatches = 0;
  visitDifferingElements(primary, candidate, (index, expected, actual) => {
    const documents = asJson ? parsedPair(expected, actual) : null;
    if (documents && isSameJson(...documents)) return;
    mismatches++;
    if (worst.length < worstMax) worst.push(index);
    if (documents === null || differences.length >= differencesMax) return;
    const found = differencesOf(...documents);
    differences.push(...(elements === 1 ? found : found.map((one) => atElement(one, index))));
  });
  return { mismatches, worst, differences: differences.slice(0, differencesMax) };
}

/**
 * Visits the elements whose bytes differ, in order. Nothing is kept of an element, and those that are equal are not
 * even cut out: an answer of a few megabytes can hold millions of them.
 */
function visitDifferingElements(
  primary: Tensor,
  candidate: Tensor,
  visit: (index: number, primary: Uint8Array, candidate: Uint8Array) => void,
): void {
  const [expected, actual] = [bufferOf(primary), bufferOf(candidate)];
  if (expected.equals(actual)) return;
  for (let index = 0, at = 0, otherAt = 0; at < expected.length; index++) {
    const [start, otherStart] = [at + 4, otherAt + 4];
    at = start + expected.readUInt32LE(at);
    otherAt = otherStart + actual.readUInt32LE(otherAt);
    const isSameLength = at - start === otherAt - otherStart;
    if (isSameLength && expected.compare(actual, otherStart, otherAt, start, at) === 0) continue;
    visit(index, expected.subarray(start, at), actual.subarray(otherStart, otherAt));
  }
}

function bufferOf({ data }: Tensor): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** null: at least one of the two is not JSON. */
function parsedPair(primary: Uint8Array, candidate: Uint8Array): [unknown, unknown] | null {
  try {
    return [parseJson(primary), parseJson(candidate)];
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

function atElement(difference: StructuralDifference, index: number): StructuralDifference {
  const { path } = difference;
  const joint = path === "" || path.startsWith("[") ? "" : ".";
  return { ...difference, path: `[${index}]${joint}${path}` };
}
