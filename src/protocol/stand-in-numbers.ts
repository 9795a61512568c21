import { randomUUID } from "node:crypto";
import { scanNumberList } from "./number-list.js";

/** A list of numbers as far as it was looked at: `end` is behind its closing bracket. */
export interface ListedNumbers {
  list: number[];
  end: number;
}

/** Reads what stands behind an opening bracket at `start`; null: it is to be read in the ordinary way. */
export type ListReader = (text: string, start: number) => ListedNumbers | null;

/** A shape has at most 64 dimensions: a list of so many whole numbers or fewer is read as it is. */
const exactMax = 64;
/** Longer lists are read in the ordinary way: an array of a length set in advance would not be kept packed. */
const countMax = 2 ** 20;
/** A whole part below this cannot leave float32. */
const wholeMax = 1e9;

/** Messages of one model have lists of the same few lengths: those up to so many numbers are made once. */
const sharedCountMax = 2 ** 14;
const sharedListsMax = 32;
const sharedLists = new Map<number, number[]>();

/**
 * {@link standInNumbers} for a text whose characters are these bytes: at a tenth of its cost where most of a message
 * is, in long lists of numbers that are not whole. Its lists are shared between messages, and nobody may change them.
 */
export function standInNumbersOf(bytes: Uint8Array): ListReader {
  if (scanNumberList === null) return standInNumbers;
  const scan = scanNumberList;
  return (text, start) => {
    const found = scan(bytes, start);
    if (found === null) return standInNumbers(text, start);
    const { count, end } = found;
    if (count > countMax) return null;
    return { list: fractions(count), end };
  };
}

const quote = 0x22;
const backslash = 0x5c;
const bracket = 0x5b;
/** Shorter lists are left where they are. */
const liftedMin = 8;
/** With more of them it is their number and not their length that costs, and a parser reads them on its way. */
const liftsMax = 16;
/** Brackets that begin no such list; a message of a model has three before its numbers. */
const vainMax = 64;
/** Bytes beside the lists. In more there are lists of whole numbers: to look at them costs less than to read them. */
const besideMax = 4_096;
/** Stands before the count of a list that was lifted. Whoever guessed it would have a list of his own counted wrongly. */
const mark = `${randomUUID().slice(0, 8)}:`;

/** What stands in JSON before, between and behind its longer lists of numbers that are not whole, and how many those have. */
export interface Layout {
  /** Each begins and ends where a character does. */
  parts: readonly Buffer[];
  counts: readonly number[];
}

/**
 * How JSON is laid out. Messages of one model mostly have the same layout.
 *
 * @returns parts that share the memory of the message; null: it is not worth while, or there is an escape before a list, so
 *   that what is in a string and what is not is a parser's to know
 */
export function layoutOf(message: Uint8Array): Layout | null {
  const source = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const scan = scanNumberList;
  const parts: Buffer[] = [];
  const counts: number[] = [];
  let from = 0;
  let beside = source.length;
  let vain = 0;
  let checked = 0;
  let inString = false;
  let at = scan === null ? source.length : 0;
  for (let open = source.indexOf(bracket, at); open >= 0; open = source.indexOf(bracket, at)) {
    for (; checked < open; checked++) {
      if (source[checked] === backslash) return null;
      if (source[checked] === quote) inString = !inString;
    }
    at = open + 1;
    if (inString || !mayBeginNumber(source[at]!)) continue;
    const found = scan!(source, at);
    if (found === null || found.count < liftedMin || found.count > countMax) {
      vain += 1;
      if (vain > vainMax) return null;
      continue;
    }
    if (counts.length === liftsMax) return null;
    parts.push(source.subarray(from, at));
    counts.push(found.count);
    checked = found.end;
    beside -= found.end - at;
    at = found.end;
    from = at - 1;
  }
  if (beside > besideMax) return null;
  parts.push(source.subarray(from));
  return { parts, counts };
}

/** Whether {@link layoutOf}, which this layout is from, would say it of a message, too: without anything made. */
export function hasLayout(source: Uint8Array, { parts, counts }: Layout): boolean {
  const last = parts.at(-1)!;
  // Before all numbers are looked at in vain.
  if (source.length < last.length || last.compare(source, source.length - last.length) !== 0) return false;
  let at = 0;
  for (let i = 0; ; i++) {
    const part = parts[i]!;
    const end = at + part.length;
    if (end > source.length || part.compare(source, at, end) !== 0) return false;
    if (i === counts.length) return end === source.length;
    const found = scanNumberList!(source, end);
    if (found === null || found.count !== counts[i]) return false;
    at = found.end - 1;
  }
}

/**
 * The text of a layout, in which each list is replaced by how many numbers it has: so that the engine's own parser can
 * read the little that is left. {@link fromOutline} puts numbers where the lists stood.
 */
export function outlineOfLayout({ parts, counts }: Layout, textOf: (part: Buffer) => string): string {
  let text = textOf(parts[0]!);
  for (const [i, count] of counts.entries()) text += `"${mark}${count}"${textOf(parts[i + 1]!)}`;
  return text;
}

/**
 * What was read of an outline, with numbers that stand in for those of its lists. These are shared between messages, and
 * nobody may change them.
 */
export function fromOutline(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const [first] = value;
    if (value.length === 1 && typeof first === "string" && first.startsWith(mark)) {
      const count = Number(first.slice(mark.length));
      if (Number.isInteger(count) && count > 0 && count <= countMax) return fractions(count);
    }
    for (let i = 0; i < value.length; i++) value[i] = fromOutline(value[i]);
    return value;
  }
  const members = value as Record<string, unknown>;
  for (const key in members) {
    if (typeof members[key] === "object") members[key] = fromOutline(members[key]);
  }
  return members;
}

function mayBeginNumber(code: number): boolean {
  return isDigit(code) || code === 45 || isSpace(code);
}

/** Whether a list is one that messages share: whoever reads tensors out of it needs to do so only once. */
export function isShared(list: readonly unknown[]): boolean {
  return sharedLists.get(list.length) === list;
}

function fractions(count: number): number[] {
  const known = sharedLists.get(count);
  if (known !== undefined) return known;
  const list = new Array<number>(count).fill(wholeMax + 0.5);
  if (count <= sharedCountMax) {
    if (sharedLists.size === sharedListsMax) sharedLists.clear();
    sharedLists.set(count, list);
  }
  return list;
}

/**
 * Checks the grammar of a flat list of plain numbers without converting them, and gives a list of as many that no
 * tensor can hold unless it can hold those that stand there: the least and the greatest of whole numbers; of others
 * one that is beyond them all and is not whole. null on anything else, which a parser then reads, or refuses.
 *
 * Plain: up to nine digits before the point, and no exponent that makes a number greater.
 */
export const standInNumbers: ListReader = (text, start) => {
  let at = start;
  let count = 0;
  let whole = true;
  let least = 0;
  let most = 0;
  for (;;) {
    let code = text.charCodeAt(at);
    if (code <= 32) while (isSpace(code)) code = text.charCodeAt(++at);
    const negative = code === 45;
    if (negative) code = text.charCodeAt(++at);
    if (!isDigit(code)) return null;
    let value = code - 48;
    code = text.charCodeAt(++at);
    if (value > 0) {
      for (; isDigit(code) && value < wholeMax; code = text.charCodeAt(++at)) value = value * 10 + code - 48;
      if (value >= wholeMax) return null;
    }
    if (code === 46) {
      whole = false;
      code = text.charCodeAt(++at);
      if (!isDigit(code)) return null;
      while (isDigit(code)) code = text.charCodeAt(++at);
    }
    if ((code | 32) === 101) {
      whole = false;
      if (text.charCodeAt(++at) !== 45) return null;
      code = text.charCodeAt(++at);
      if (!isDigit(code)) return null;
      while (isDigit(code)) code = text.charCodeAt(++at);
    }
    if (code <= 32) while (isSpace(code)) code = text.charCodeAt(++at);
    const signed = negative ? -value : value;
    if (count === 0 || signed < least) least = signed;
    if (count === 0 || signed > most) most = signed;
    count++;
    at++;
    if (code === 93) break;
    if (code !== 44) return null;
  }
  if (count > countMax || (whole && count <= exactMax)) return null;
  const list = new Array<number>(count).fill(whole ? most : Math.max(-least, most) + 1.5);
  if (whole) list[0] = least;
  return { list, end: at };
};

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}
