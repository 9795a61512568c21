import { described, excerptOf, ProtocolError, quoted } from "./error.js";
import { parsePlain } from "./plain-json.js";
import type { ListReader } from "./stand-in-numbers.js";

/** Arrays and objects may nest this deep: a tensor of rank 64 and what stands around it. */
const depthMax = 80;

interface Cursor {
  readonly text: string;
  readonly readList: ListReader | null;
  at: number;
}

const literals: readonly (readonly [string, unknown])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
];

/**
 * Parses JSON as V2 servers write it, losing nothing: bare `NaN`, `Infinity` and `-Infinity` are numbers, integers
 * beyond 2^53 are bigints. Refuses what readers disagree on: duplicate keys, the key `__proto__`, numbers that
 * overflow float64. Nesting beyond {@link depthMax} is refused too, so the recursion is bounded.
 *
 * @param readList asked first for what an array holds
 */
export function parseLosslessJson(text: string, readList: ListReader | null = null): unknown {
  const plain = readList === null ? parsePlain(text) : undefined;
  if (plain !== undefined) return plain;
  const cursor: Cursor = { text, readList, at: 0 };
  const value = parseValue(cursor, 0);
  skipSpace(cursor);
  if (cursor.at < text.length) throw unexpected(cursor, "the end");
  return value;
}

function parseValue(cursor: Cursor, depth: number): unknown {
  skipSpace(cursor);
  switch (cursor.text[cursor.at]) {
    case "{":
      return parseObject(cursor, deeper(cursor, depth));
    case "[":
      return parseArray(cursor, deeper(cursor, depth));
    case '"':
      return parseString(cursor);
    default:
      return parseNumber(cursor) ?? parseLiteral(cursor);
  }
}

function deeper(cursor: Cursor, depth: number): number {
  if (depth === depthMax) {
    throw new ProtocolError(
      `JSON nests deeper than ${depthMax} levels at character ${cursor.at}`,
      excerptOf(cursor.text.slice(cursor.at, cursor.at + 40)),
    );
  }
  return depth + 1;
}

function parseObject(cursor: Cursor, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  cursor.at++;
  if (took(cursor, "}")) return object;
  do {
    skipSpace(cursor);
    if (cursor.text[cursor.at] !== '"') throw unexpected(cursor, "a key in quotes");
    const key = parseString(cursor);
    // Assigning to `__proto__` would change the object's prototype instead of adding a key.
    if (key === "__proto__") throw new ProtocolError('JSON has the key "__proto__"');
    if (Object.hasOwn(object, key)) throw new ProtocolError(`JSON has the key ${quoted(key)} twice`);
    if (!took(cursor, ":")) throw unexpected(cursor, '":"');
    object[key] = parseValue(cursor, depth);
  } while (took(cursor, ","));
  if (!took(cursor, "}")) throw unexpected(cursor, '"," or "}"');
  return object;
}

function parseArray(cursor: Cursor, depth: number): unknown[] {
  cursor.at++;
  const listed = cursor.readList?.(cursor.text, cursor.at) ?? null;
  if (listed !== null) {
    cursor.at = listed.end;
    return listed.list;
  }
  const array: unknown[] = [];
  if (took(cursor, "]")) return array;
  do {
    array.push(parseValue(cursor, depth));
  } while (took(cursor, ","));
  if (!took(cursor, "]")) throw unexpected(cursor, '"," or "]"');
  return array;
}

function parseString(cursor: Cursor): string {
  const { text } = cursor;
  const start = cursor.at;
  let plain = true;
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== 34; code = text.charCodeAt(at)) {
    if (Number.isNaN(code)) throw unexpected(cursor, "a closed string");
    if (code === 92 || code < 32) plain = false;
    at += code === 92 ? 2 : 1;
  }
  cursor.at = at + 1;
  if (plain) return text.slice(start + 1, at);
  try {
    return JSON.parse(text.slice(start, at + 1)) as string;
  } catch {
    cursor.at = start;
    throw unexpected(cursor, "a string without control characters or unknown escapes");
  }
}

/** undefined when what stands here does not begin as a number. */
function parseNumber(cursor: Cursor): number | bigint | undefined {
  const { text, at: start } = cursor;
  const first = text.charCodeAt(start) === 45 ? start + 1 : start;
  const integerEnd = text.charCodeAt(first) === 48 ? first + 1 : digitsEnd(text, first);
  if (integerEnd === first) return undefined;
  const end = exponentEnd(text, fractionEnd(text, integerEnd));
  const literal = text.slice(start, end);
  const value = Number(literal);
  // Also bounds the digits of a bigint: its cost grows faster than its length.
  if (!Number.isFinite(value)) {
    throw new ProtocolError(`JSON has a number beyond float64 at character ${start}`, excerptOf(literal));
  }
  cursor.at = end;
  return end === integerEnd && !Number.isSafeInteger(value) ? BigInt(literal) : value;
}

function digitsEnd(text: string, start: number): number {
  let at = start;
  let code = text.charCodeAt(at);
  while (code >= 48 && code <= 57) code = text.charCodeAt(++at);
  return at;
}

/** The end of a fraction at `start`; `start` itself where none stands. */
function fractionEnd(text: string, start: number): number {
  if (text.charCodeAt(start) !== 46) return start;
  const end = digitsEnd(text, start + 1);
  return end === start + 1 ? start : end;
}

/** The end of an exponent at `start`; `start` itself where none stands. */
function exponentEnd(text: string, start: number): number {
  if ((text.charCodeAt(start) | 32) !== 101) return start;
  const sign = text.charCodeAt(start + 1);
  const digits = sign === 43 || sign === 45 ? start + 2 : start + 1;
  const end = digitsEnd(text, digits);
  return end === digits ? start : end;
}

function parseLiteral(cursor: Cursor): unknown {
  for (const [literal, value] of literals) {
    if (cursor.text.startsWith(literal, cursor.at)) {
      cursor.at += literal.length;
      return value;
    }
  }
  throw unexpected(cursor, "a value");
}

function skipSpace(cursor: Cursor): void {
  const { text } = cursor;
  let code = text.charCodeAt(cursor.at);
  while (code === 32 || code === 10 || code === 13 || code === 9) code = text.charCodeAt(++cursor.at);
}

function took(cursor: Cursor, sign: string): boolean {
  skipSpace(cursor);
  if (cursor.text[cursor.at] !== sign) return false;
  cursor.at++;
  return true;
}

function unexpected({ text, at }: Cursor, expected: string): ProtocolError {
  const found = at < text.length ? described(text[at]) : "the end";
  const excerpt = excerptOf(text.slice(Math.max(0, at - 20), at + 20));
  return new ProtocolError(`not JSON: expected ${expected} at character ${at}, found ${found}`, excerpt);
}
