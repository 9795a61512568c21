import { ProtocolError } from "../protocol/error.js";
import { parseJson } from "../protocol/json.js";
import type { Tensor } from "../tensor/tensor.js";
import { bytesElements } from "../tensor/view.js";
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
  const expected = bytesElements(primary);
  const actual = bytesElements(candidate);
  const differences: StructuralDifference[] = [];
  const worst: number[] = [];
  let mismatches = 0;
  expected.forEach((element, index) => {
    const other = actual[index]!;
    if (Buffer.compare(element, other) === 0) return;
    const documents = asJson ? parsedPair(element, other) : null;
    if (documents && isSameJson(...documents)) return;
    mismatches++;
    if (worst.length < worstMax) worst.push(index);
    if (documents === null || differences.length >= differencesMax) return;
    const found = differencesOf(...documents);
    differences.push(...(expected.length === 1 ? found : found.map((one) => atElement(one, index))));
  });
  return { mismatches, worst, differences: differences.slice(0, differencesMax) };
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
