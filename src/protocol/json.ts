import { constants, isUtf8 } from "node:buffer";
import { excerptOf, ProtocolError } from "./error.js";
import { parseLosslessJson } from "./lossless-json.js";
import { parsePlain } from "./plain-json.js";
import {
  fromOutline,
  type Layout,
  layoutOf,
  outlineOfLayout,
  standInNumbers,
  standInNumbersOf,
} from "./stand-in-numbers.js";

/** {@link parseJson}, or one that stands in for it. */
export type JsonReader = (source: string | Uint8Array) => unknown;

/**
 * Parses JSON without loss (see {@link parseLosslessJson}): numbers come as `number`, integers beyond 2^53 as
 * `bigint`. Bytes must be UTF-8. Throws ProtocolError, and nothing else, on whatever is not such JSON.
 */
export function parseJson(source: string | Uint8Array): unknown {
  return parseLosslessJson(typeof source === "string" ? source : utf8Text(source));
}

/**
 * As {@link parseJson}, at a fraction of its cost, but for the numbers in lists: {@link standInNumbers} stand there.
 * A message that can be decoded from this can be decoded, and all but its tensors' values is the same; one that
 * cannot may be sound all the same.
 */
export function surveyJson(source: string | Uint8Array): unknown {
  const layout = typeof source === "string" ? null : layoutOf(source);
  const value = layout === null ? undefined : readOutline(outlineOf(layout));
  return value === undefined ? surveyEachValue(source) : value;
}

/** {@link surveyJson} of what has no outline, or none that can be read. */
export function surveyEachValue(source: string | Uint8Array): unknown {
  if (typeof source === "string") return parseLosslessJson(source, standInNumbers);
  const text = utf8Text(source);
  // Only where all of it is ASCII does a place in the text say where it is in the bytes.
  const isAscii = text.length === source.length;
  return parseLosslessJson(text, isAscii ? standInNumbersOf(source) : standInNumbers);
}

/** {@link outlineOfLayout} of UTF-8. @throws ProtocolError when it is none */
export function outlineOf(layout: Layout): string {
  return outlineOfLayout(layout, utf8Text);
}

/** What {@link surveyJson} says of all JSON that has this outline; undefined: it is to be surveyed value by value. */
export function readOutline(outline: string): unknown {
  const plain = parsePlain(outline);
  return plain === undefined ? undefined : fromOutline(plain);
}

/** Writes what {@link parseJson} reads: bare non-finite numbers, bigints as integers, −0 as `-0`. */
export function stringifyJson(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return value.toString();
    case "number":
      return numberText(value);
    case "object": {
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map(stringifyJson).join(",")}]`;
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${stringifyJson(member)}`).join(",")}}`;
    }
    default:
      return JSON.stringify(value) ?? "null";
  }
}

/**
 * A copy that plain JSON can carry: bigints and non-finite numbers become strings, as they do in the API. For
 * parameters that go into a report or the database.
 */
export function plainJson(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainJson(member)]));
}

/** A float beyond 2^53 is written with an exponent: without one it would read as an integer of other digits. */
function numberText(value: number): string {
  if (Object.is(value, -0)) return "-0";
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : String(value);
}

function utf8Text(bytes: Uint8Array): string {
  if (bytes.length > constants.MAX_STRING_LENGTH) {
    throw new ProtocolError(`JSON of ${bytes.length} bytes is longer than can be read`);
  }
  if (!isUtf8(bytes)) throw new ProtocolError("JSON is not UTF-8", excerptOf(bytes));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
