import { gunzipSync, inflateRawSync, inflateSync } from "node:zlib";
import { messageOf } from "../errors.js";
import { excerptOf, ProtocolError, quoted } from "./error.js";

/**
 * Removes a content coding: `gzip`, `deflate` (zlib's form, or bare as some clients send it), or none. The result
 * never has more than `bytesMax` bytes (at least 1), and no more is ever inflated. Throws ProtocolError on any other
 * coding, several codings, damaged or truncated data, or too much of it.
 */
export function decodeContent(
  body: Uint8Array,
  contentEncoding: string | undefined,
  bytesMax: number,
): Uint8Array {
  const inflate = inflaterOf(contentEncoding, body);
  if (inflate === null) {
    if (body.length > bytesMax) throw tooLarge(bytesMax);
    return body;
  }
  try {
    return inflate(body, { maxOutputLength: bytesMax });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(bytesMax);
    throw new ProtocolError(`the body is not ${contentEncoding}: ${messageOf(error)}`, excerptOf(body));
  }
}

function inflaterOf(contentEncoding: string | undefined, body: Uint8Array): typeof inflateSync | null {
  switch (contentEncoding?.trim().toLowerCase()) {
    case undefined:
    case "":
    case "identity":
      return null;
    case "gzip":
    case "x-gzip":
      return gunzipSync;
    case "deflate":
      return hasZlibHeader(body) ? inflateSync : inflateRawSync;
    default:
      throw new ProtocolError(
        `Content-Encoding must be gzip, deflate or identity, found ${quoted(contentEncoding ?? "")}`,
      );
  }
}

/** RFC 1950: method 8 in the low nibble, and the first two bytes a multiple of 31. */
function hasZlibHeader(body: Uint8Array): boolean {
  const [first = 0, second = 0] = body;
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
}

function tooLarge(bytesMax: number): ProtocolError {
  return new ProtocolError(`the body is larger than ${bytesMax} bytes once its content coding is removed`);
}
