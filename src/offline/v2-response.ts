import { isRecord } from "../protocol/fields.js";
import { decodeInferResponse, type InferResponse } from "../protocol/infer.js";
import { parseJson } from "../protocol/json.js";
import { elementCount } from "../tensor/dtype.js";
import { FormatError } from "./format-error.js";
import type { Limits } from "./limits.js";
import { checkTextElements } from "./npy.js";

/**
 * Reads the body of a V2 inference response: JSON, or JSON followed by binary tensors. Throws FormatError or
 * ProtocolError.
 *
 * @param headerLength length of the JSON, as `Inference-Header-Content-Length` told it; null: it is found
 */
export function readV2Response(file: Buffer, headerLength: number | null, limits: Limits): InferResponse {
  const { jsonBytesMax } = limits;
  const length = headerLength ?? findHeaderLength(file, jsonBytesMax);
  if ((length ?? file.length) > jsonBytesMax) throw tooLong(jsonBytesMax);
  const response = decodeInferResponse(file, length);
  for (const { datatype, shape } of response.outputs) {
    if (datatype === "BYTES") checkTextElements(elementCount(shape), limits);
  }
  return response;
}

/**
 * Where the binary tensors begin: behind the JSON object, and behind white space when without it their sizes come out
 * right. null: there are none. Of a file that is not such a response anything, since the decoder will refuse it.
 */
function findHeaderLength(file: Buffer, jsonBytesMax: number): number | null {
  const end = objectEnd(file, jsonBytesMax);
  if (end === null) return null;
  const head = file.subarray(0, end);
  // Nearly always spares the second parsing of what is JSON and nothing else.
  if (!head.includes("binary_data_size")) return null;
  const sizes = binarySizes(parseJson(head));
  if (sizes.length === 0) return null;
  const padded = file.length - sizes.reduce((sum, size) => sum + size, 0);
  return padded > end && file.subarray(end, padded).every(isBlank) ? padded : end;
}

/** The end of the JSON object that the file begins with; null when it does not close. */
function objectEnd(file: Buffer, jsonBytesMax: number): number | null {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < file.length; at++) {
    if (at >= jsonBytesMax) throw tooLong(jsonBytesMax);
    const byte = file[at];
    if (isInString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) isInString = false;
    } else if (byte === 0x22) isInString = true;
    else if (byte === 0x7b || byte === 0x5b) depth++;
    else if ((byte === 0x7d || byte === 0x5d) && --depth <= 0) return at + 1;
  }
  return null;
}

function binarySizes(json: unknown): number[] {
  const outputs = isRecord(json) && Array.isArray(json.outputs) ? json.outputs : [];
  return outputs.flatMap((output: unknown) => {
    const parameters = isRecord(output) ? output.parameters : undefined;
    const size = isRecord(parameters) ? parameters.binary_data_size : undefined;
    return typeof size === "number" ? [size] : [];
  });
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function tooLong(jsonBytesMax: number): FormatError {
  return new FormatError(
    `has JSON of more than ${jsonBytesMax} bytes; for larger outputs save the binary form of the response`,
  );
}
