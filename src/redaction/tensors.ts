import { elementBytes, elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { bytesElements } from "../tensor/view.js";
import type { KeyedHash } from "./keyed-hash.js";
import type { RedactionAction } from "./settings.js";
import { keyOf, maskedText, truncated } from "./values.js";

/** Whether hashes of its elements say which are equal and nothing else; see {@link redactedTensor}. */
export function isHashable(datatype: string): boolean {
  return datatype === "BYTES" || /^U?INT(?:32|64)$/.test(datatype);
}

/**
 * The wire bytes of a tensor once redacted; shape and datatype stay, so that it can still be read.
 *
 * - `mask`: `[redacted]` for each BYTES element, zero for each number.
 * - `hash`: each element on its own, so that equal ones stay equal: a word for BYTES, as many bytes of the hash as the
 *   datatype has for integers of 32 bits and more (the sign bit left 0). Smaller ones could be guessed, and of a float
 *   any bits might be no number: refused.
 * - `truncate` N: the first N characters of each BYTES element, the first N numbers; the rest is zero.
 *
 * @throws Error when the datatype cannot be hashed, or there is no key
 */
export function redactedTensor(
  tensor: Tensor,
  action: Exclude<RedactionAction, "drop">,
  hash: KeyedHash | null,
): Uint8Array {
  const { datatype, data } = tensor;
  const bytes = elementBytes(datatype);
  if (bytes === null) return redactedTexts(tensor, action, hash);
  const redacted = new Uint8Array(data.length);
  if (action === "hash") {
    if (!isHashable(datatype)) {
      throw new Error(`a tensor of ${datatype} cannot be hashed; mask or drop it`);
    }
    for (let at = 0; at < data.length; at += bytes) {
      const word = Buffer.from(keyOf(hash).value(data.subarray(at, at + bytes)), "hex");
      redacted.set(word.subarray(0, bytes), at);
      redacted[at + bytes - 1]! &= 0x7f;
    }
  } else if (action !== "mask") {
    redacted.set(data.subarray(0, Math.min(action.truncate, elementCount(tensor.shape)) * bytes));
  }
  return redacted;
}

function redactedTexts(
  tensor: Tensor,
  action: Exclude<RedactionAction, "drop">,
  hash: KeyedHash | null,
): Uint8Array {
  const elements = bytesElements(tensor).map((element) => {
    if (action === "mask") return Buffer.from(maskedText);
    if (action === "hash") return Buffer.from(keyOf(hash).value(element));
    return Buffer.from(truncated(Buffer.from(element).toString("utf8"), action.truncate));
  });
  const parts = elements.flatMap((element) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(element.length);
    return [length, element];
  });
  return Uint8Array.from(Buffer.concat(parts));
}
