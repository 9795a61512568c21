import { parseJson } from "../protocol/json.js";
import type { Tensor } from "../tensor/tensor.js";
import { bytesElements } from "../tensor/view.js";
import { worstMax } from "./kernel.js";
import { differencesMax, differencesOf } from "./structure.js";
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
    const found = asJson ? jsonDifferences(element, other) : null;
    if (found?.length === 0) return;
    mismatches++;
    if (worst.length < worstMax) worst.push(index);
    for (const difference of found ?? []) {
      if (differences.length < differencesMax) {
        differences.push(expected.length === 1 ? difference : atElement(difference, index));
      }
    }
  });
  return { mismatches, worst, differences };
}

/** null: at least one of the two is not JSON. */
function jsonDifferences(primary: Uint8Array, candidate: Uint8Array): StructuralDifference[] | null {
  const expected = parsed(primary);
  const actual = parsed(candidate);
  return expected && actual ? differencesOf(expected.value, actual.value) : null;
}

function parsed(element: Uint8Array): { value: unknown } | null {
  try {
    return { value: parseJson(element) };
  } catch {
    return null;
  }
}

function atElement(difference: StructuralDifference, index: number): StructuralDifference {
  const { path } = difference;
  const joint = path === "" || path.startsWith("[") ? "" : ".";
  return { ...difference, path: `[${index}]${joint}${path}` };
}
