/** How values travel into SQL: the one place that knows what text, jsonb and Prisma's raw parameters refuse. */
import type { Prisma } from "./generated/client.js";

type Value = string | number | bigint | boolean | null | undefined;

/**
 * One column of a bulk write: the literal of an array, to be cast to the column's type and given to UNNEST. Literals,
 * because Prisma makes NULL of a raw parameter NaN or Infinity without a word, and takes longer over the elements of
 * an array than Postgres does over the write.
 */
export function column<Row>(rows: readonly Row[], pick: (row: Row) => Value): string {
  let literal = "";
  for (const row of rows) {
    const value = pick(row);
    literal += literal === "" ? "{" : ",";
    if (value == null) literal += "NULL";
    else literal += typeof value === "string" ? `"${escaped(value)}"` : String(value);
  }
  return literal === "" ? "{}" : `${literal}}`;
}

/** Most texts need nothing, and are many. */
function escaped(text: string): string {
  return /[\0"\\]/.test(text) ? cleanText(text).replace(/["\\]/g, "\\$&") : text;
}

/** Unix milliseconds as a literal of timestamptz. */
export function time(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** The same, and the ends of time where it is not finite, or of a year that has not four digits. */
export function timeOrEdge(atMs: number): string {
  const iso = Number.isFinite(atMs) ? time(atMs) : "";
  if (/^\d{4}-/.test(iso)) return iso;
  return atMs < 0 ? "-infinity" : "infinity";
}

/** Text that Postgres takes: it refuses NUL, which becomes U+FFFD, as lone surrogates do on the wire. */
export function cleanText(text: string): string {
  return text.replaceAll("\0", "\ufffd");
}

/** A text as it comes back. */
export function storedText(text: string): string {
  return Buffer.from(cleanText(text)).toString();
}

// In JSON text NUL and lone surrogates are escapes; an even number of backslashes before belongs to the string.
const refusedEscape = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/**
 * JSON that jsonb takes and that loses nothing: non-finite numbers and bigints as strings, and in strings and keys
 * U+FFFD for what jsonb refuses. `undefined` is `null`.
 */
export function jsonText(value: unknown): string {
  // JSON.stringify takes several times as long when it has to ask of each part.
  const text = JSON.stringify(value ?? null, holdsOddNumber(value) ? oddNumberAsText : undefined);
  return text.includes("\\u") ? text.replace(refusedEscape, "$1\\ufffd") : text;
}

const isOddNumber = (part: unknown) =>
  typeof part === "bigint" || (typeof part === "number" && !Number.isFinite(part));

const oddNumberAsText = (_key: string, part: unknown) => (isOddNumber(part) ? String(part) : part);

/** Whether JSON has no word for a number in it; true also where only `toJSON` knows. */
function holdsOddNumber(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return isOddNumber(value);
  if (Array.isArray(value)) return value.some(holdsOddNumber);
  if ("toJSON" in value) return true;
  for (const key in value) if (holdsOddNumber(value[key as keyof typeof value])) return true;
  return false;
}

/** The same for Prisma's own queries. For objects and arrays: Prisma has its own words for JSON's null. */
export function jsonInput(value: unknown): Prisma.InputJsonValue {
  return JSON.parse(jsonText(value)) as Prisma.InputJsonValue;
}
