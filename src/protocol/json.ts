import { constants, isUtf8 } from "node:buffer";
import { excerptOf, ProtocolError } from "./error.js";
import { depthMax, parseLosslessJson } from "./lossless-json.js";

/**
 * Parses JSON without loss (see {@link parseLosslessJson}): numbers come as `number`, integers beyond 2^53 as
 * `bigint`. Bytes must be UTF-8. Throws ProtocolError, and nothing else, on whatever is not such JSON.
 */
export function parseJson(source: string | Uint8Array): unknown {
  const text = typeof source === "string" ? source : utf8Text(source);
  const value = parseNatively(text);
  return value === undefined ? parseLosslessJson(text) : value;
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

/**
 * `JSON.parse`, where that provably loses nothing; else undefined. It would round integers of 16 digits and more,
 * turn 1e400 into infinity, and keep the last of duplicate keys. Each key has a colon of its own in the text, so when
 * there are as many colons as keys in the result, no key was dropped.
 */
function parseNatively(text: string): unknown {
  if (/(?:^|[^\d.])\d{16}/.test(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const keys = countKeys(value, 0);
  return keys === countColons(text) ? value : undefined;
}

/** Keys at all levels; NaN where the lossless parser has to look: too deep, `__proto__`, an overflown number. */
function countKeys(value: unknown, depth: number): number {
  if (typeof value === "number") return Number.isFinite(value) ? 0 : NaN;
  if (typeof value !== "object" || value === null) return 0;
  if (depth === depthMax || Object.hasOwn(value, "__proto__")) return NaN;
  let keys = 0;
  if (Array.isArray(value)) {
    for (const element of value) keys += countKeys(element, depth + 1);
    return keys;
  }
  for (const member of Object.values(value)) keys += 1 + countKeys(member, depth + 1);
  return keys;
}

function countColons(text: string): number {
  let colons = 0;
  for (let at = text.indexOf(":"); at >= 0; at = text.indexOf(":", at + 1)) colons++;
  return colons;
}
