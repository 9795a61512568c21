/**
 * Columns of a bulk write in Postgres' binary form of an array: to be cast to the array's type and given to UNNEST. A
 * statement of many rows spends more on writing and reading numbers, times and ids as text than on its indexes.
 *
 * The form (`array_send` in Postgres' `arrayfuncs.c`), all big-endian: dimensions, whether there are nulls, the type's
 * oid; of the one dimension its length and lower bound; then of each element its length, -1 for null, and its bytes.
 */
import { cleanText, jsonText } from "./sql.js";

const headBytes = 20;

/** A type of which every value takes as many bytes. */
interface Fixed<Value> {
  oid: number;
  bytes: number;
  put(buffer: Buffer, value: Value, at: number): unknown;
}

type Pick<Row, Value> = (row: Row) => Value | null | undefined;

const float8: Fixed<number> = {
  oid: 701,
  bytes: 8,
  put: (buffer, value, at) => buffer.writeDoubleBE(value, at),
};
const int4: Fixed<number> = { oid: 23, bytes: 4, put: (buffer, value, at) => buffer.writeInt32BE(value, at) };
const int8: Fixed<number> = { oid: 20, bytes: 8, put: putInteger };
const bool: Fixed<boolean> = {
  oid: 16,
  bytes: 1,
  put: (buffer, value, at) => buffer.writeUInt8(value ? 1 : 0, at),
};
const uuid: Fixed<string> = { oid: 2950, bytes: 16, put: putUuid };
const timestamptz: Fixed<number> = { oid: 1184, bytes: 8, put: putTime };

/** Non-finite ones too. */
export const float8s = <Row>(rows: readonly Row[], pick: Pick<Row, number>) =>
  fixedColumn(float8, rows, pick);
export const int4s = <Row>(rows: readonly Row[], pick: Pick<Row, number>) => fixedColumn(int4, rows, pick);
/** Integers of at most 53 bits. */
export const int8s = <Row>(rows: readonly Row[], pick: Pick<Row, number>) => fixedColumn(int8, rows, pick);
export const bools = <Row>(rows: readonly Row[], pick: Pick<Row, boolean>) => fixedColumn(bool, rows, pick);
/** Each `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`. @throws RangeError for what is no such id */
export const uuids = <Row>(rows: readonly Row[], pick: Pick<Row, string>) => fixedColumn(uuid, rows, pick);
/** Unix milliseconds. @throws RangeError for what is no time */
export const times = <Row>(rows: readonly Row[], pick: Pick<Row, number>) =>
  fixedColumn(timestamptz, rows, pick);

function fixedColumn<Row, Value>(type: Fixed<Value>, rows: readonly Row[], pick: Pick<Row, Value>): Buffer {
  const buffer = Buffer.allocUnsafe(headBytes + rows.length * (4 + type.bytes));
  let at = headBytes;
  let nulls = false;
  for (const row of rows) {
    const value = pick(row);
    if (value == null) {
      nulls = true;
      at = buffer.writeInt32BE(-1, at);
    } else {
      at = buffer.writeInt32BE(type.bytes, at);
      type.put(buffer, value, at);
      at += type.bytes;
    }
  }
  return finished(buffer, at, type.oid, rows.length, nulls);
}

/** Texts, with U+FFFD for what Postgres refuses. */
export const texts = <Row>(rows: readonly Row[], pick: Pick<Row, string>) => textColumn(25, null, rows, pick);

/** What `jsonText` makes of each value. */
export function jsons<Row>(rows: readonly Row[], pick: (row: Row) => unknown): Buffer {
  return textColumn(3802, jsonbVersion, rows, (row) => {
    const value = pick(row);
    return value == null ? null : jsonText(value);
  });
}

/** The byte before the text of a jsonb. */
const jsonbVersion = 1;

function textColumn<Row>(
  oid: number,
  prefix: number | null,
  rows: readonly Row[],
  pick: Pick<Row, string>,
): Buffer {
  let buffer = Buffer.allocUnsafe(headBytes + rows.length * 32);
  let at = headBytes;
  let nulls = false;
  for (const row of rows) {
    const text = pick(row);
    const most = at + 5 + 3 * (text?.length ?? 0);
    if (most > buffer.length) buffer = grown(buffer, at, most);
    if (text == null) {
      nulls = true;
      at = buffer.writeInt32BE(-1, at);
      continue;
    }
    let end = at + 4;
    if (prefix !== null) end = buffer.writeUInt8(prefix, end);
    end = putText(buffer, text, end);
    buffer.writeInt32BE(end - at - 4, at);
    at = end;
  }
  return finished(buffer, at, oid, rows.length, nulls);
}

function grown(buffer: Buffer, used: number, bytesMin: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafe(Math.max(2 * buffer.length, bytesMin));
  buffer.copy(larger, 0, 0, used);
  return larger;
}

function finished(buffer: Buffer, end: number, oid: number, length: number, nulls: boolean): Buffer {
  // An empty array has no dimension.
  buffer.writeInt32BE(length === 0 ? 0 : 1, 0);
  buffer.writeInt32BE(nulls ? 1 : 0, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
  return buffer.subarray(0, length === 0 ? 12 : end);
}

/** Most texts are short words of ASCII: for those a call out of JavaScript costs more than the copy. */
const shortText = 48;

function putText(buffer: Buffer, text: string, at: number): number {
  if (text.length <= shortText) {
    let i = 0;
    for (; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0 || code > 127) break;
      buffer[at + i] = code;
    }
    if (i === text.length) return at + i;
  }
  return at + buffer.write(cleanText(text), at);
}

const hexDigits = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? 255 : digit;
});

function putUuid(buffer: Buffer, id: string, at: number): void {
  if (id.length !== 36) throw new RangeError(`not a UUID: ${id}`);
  let from = 0;
  for (let byte = 0; byte < 16; byte++) {
    if (byte === 4 || byte === 6 || byte === 8 || byte === 10) from += 1;
    const high = hexDigits[id.charCodeAt(from)] ?? 255;
    const low = hexDigits[id.charCodeAt(from + 1)] ?? 255;
    if (high === 255 || low === 255) throw new RangeError(`not a UUID: ${id}`);
    buffer[at + byte] = high * 16 + low;
    from += 2;
  }
}

/** Of 64 bits, without a BigInt. */
function putInteger(buffer: Buffer, value: number, at: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not an integer of 53 bits: ${value}`);
  const high = Math.floor(value / 2 ** 32);
  buffer.writeInt32BE(high, at);
  buffer.writeUInt32BE(value - high * 2 ** 32, at + 4);
}

/** Postgres counts microseconds from here. */
const postgresEpochMs = Date.UTC(2000, 0, 1);

function putTime(buffer: Buffer, atMs: number, at: number): void {
  putInteger(buffer, (Math.trunc(atMs) - postgresEpochMs) * 1_000, at);
}
