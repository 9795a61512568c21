import { ProtocolError, quoted } from "./error.js";

/** Carries the length of the JSON at the head of a body that goes on with binary tensors; lower case, as Node has it. */
export const headerLengthName = "inference-header-content-length";

/**
 * Reads `Inference-Header-Content-Length`. `bodyLength` is the body's length after its content coding was removed.
 * null: the header is absent, and the whole body is JSON. 0: the body is one raw input. Throws ProtocolError on
 * anything but a decimal number up to the body's length.
 */
export function parseHeaderLength(value: string | undefined, bodyLength: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  if (!/^\d{1,15}$/.test(text)) {
    throw new ProtocolError(
      `Inference-Header-Content-Length must be a length in bytes, found ${quoted(value)}`,
    );
  }
  const length = Number(text);
  if (length > bodyLength) {
    throw new ProtocolError(
      `Inference-Header-Content-Length is ${length}, but the body has ${bodyLength} bytes`,
    );
  }
  return length;
}

/** Of names and values in turn, the value of one; those of a repeated header are joined, as HTTP has it. */
export function headerValue(pairs: readonly string[], name: string): string | undefined {
  const values = pairs.filter((_, index) => index % 2 === 1 && pairs[index - 1]!.toLowerCase() === name);
  return values.length === 0 ? undefined : values.join(", ");
}
