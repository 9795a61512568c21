import { randomFillSync } from "node:crypto";
import { crc32 } from "node:zlib";
import { v7 } from "uuid";
import { copyBytes } from "../copy-bytes.js";
import type { Sample } from "./capture.js";
import { type Checksum, checksum } from "./checksum.js";
import { alignedSize, type RingProducer, recordKind, slabBytes } from "./ring.js";

/**
 * One exchange as bytes, the same in the ring and in a spool file, so that it is copied once and never re-encoded.
 * The serving thread writes all but checksum, cut and id, which the capture thread stamps in place. Little-endian.
 * Behind these lie the request's body, the answer's, and the text: what is known last.
 */
const offset = {
  size: 0,
  kind: 4,
  checksum: 8,
  deploymentId: 12,
  sequence: 16,
  receivedAtMs: 24,
  primaryMs: 32,
  status: 40,
  sample: 42,
  textBytes: 44,
  requestBytes: 48,
  responseBytes: 52,
  cut: 56,
  id: 64,
  payload: 80,
} as const;

/** A capture as older versions wrote it: its text comes first, and its checksum is a CRC-32. */
const olderKind = 1;

const idBytes = 16;
const randomBytesKept = 256 * idBytes;

/** The checksum covers all that follows it. */
const checkedFrom = offset.deploymentId;
/** `left_out`: outside the sample, and handed over all the same, for it may be of a sequence, which falls as a whole. */
const samples = ["base", "targeted", "left_out"] as const satisfies readonly SeenSample[];

export type SeenSample = Sample | "left_out";

/** Where in a captured sequence a request stands. */
export interface SequencePlace {
  /** Of the sequence: a UUID of ours, since a client uses its own ids again. */
  key: string;
  /** From 0. */
  position: number;
}

/** An exchange that has ended, as the serving thread saw it. */
export interface SeenExchange {
  deploymentId: number;
  sequence: number;
  receivedAtMs: number;
  primaryMs: number;
  status: number;
  sample: SeenSample;
  /** Of a targeted exchange, the rule that added it; else empty. */
  rule: string;
  /**
   * Requests of the deployment that were not handed over before this one, since the epoch began; null where its
   * sequences are not captured.
   */
  gaps: number | null;
  method: string;
  path: string;
  /** Names and values in turn. Neither can hold a line break: HTTP parsers refuse it. */
  requestHeaders: readonly string[];
  responseHeaders: readonly string[];
  requestChunks: readonly Uint8Array[];
  requestBytes: number;
  responseChunks: readonly Uint8Array[];
  responseBytes: number;
}

/** A slab that a request's body is read into, where it will lie as part of its record. */
export interface BodySlab {
  readonly ring: RingProducer;
  readonly at: number;
  /** For the body. */
  readonly bytes: Buffer;
}

/** Where a body of so many bytes is to be read to; null: it is too large for that, or all slabs are in use. */
export function takeBodySlab(ring: RingProducer, bytes: number): BodySlab | null {
  if (offset.payload + bytes > slabBytes) return null;
  const at = ring.takeSlab();
  return at < 0
    ? null
    : { ring, at, bytes: ring.data.subarray(at + offset.payload, at + offset.payload + bytes) };
}

/** Copies an exchange into the ring. False: it does not fit. */
export function writeExchange(ring: RingProducer, seen: SeenExchange): boolean {
  const text = textOf(seen);
  const at = ring.reserve(recordBytes(seen, text), recordKind.capture);
  if (at < 0) return false;
  const responseAt = writeChunks(ring.data, at + offset.payload, seen.requestChunks);
  writeRest(ring.data, at, responseAt, seen, text);
  ring.publish();
  return true;
}

/** Hands an exchange over whose whole request lies in the slab. False: it does not fit, and the slab stays with the caller. */
export function writeInSlab({ ring, at, bytes: { length } }: BodySlab, seen: SeenExchange): boolean {
  const text = textOf(seen);
  const bytes = recordBytes(seen, text);
  if (bytes > slabBytes) return false;
  writeRest(ring.data, at, at + offset.payload + length, seen, text);
  return ring.publishSlab(at, bytes);
}

function recordBytes({ requestBytes, responseBytes }: SeenExchange, text: string): number {
  return offset.payload + requestBytes + responseBytes + text.length;
}

/** What is known of an exchange once it was redacted. */
export interface RecordMarks {
  /** What was found and redacted, as `RedactedExchange` has it. */
  redacted: readonly string[];
  /** Keyed hash of whose request it is; null: it is not known. */
  subject: string | null;
  /** null: of no sequence that is captured. */
  sequencePlace: SequencePlace | null;
}

/** An exchange as a record of its own, to be stamped. */
export function encodeRecord(seen: SeenExchange, marks: RecordMarks): Buffer {
  // Names come from everywhere, and the text is latin1.
  const ascii = JSON.stringify(marks).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const text = `${textOf(seen)}\r${ascii}`;
  const data = Buffer.alloc(alignedSize(recordBytes(seen, text)));
  data.writeInt32LE(data.length, offset.size);
  data.writeInt32LE(recordKind.capture, offset.kind);
  const responseAt = writeChunks(data, offset.payload, seen.requestChunks);
  writeRest(data, 0, responseAt, seen, text);
  return data;
}

function textOf(seen: SeenExchange): string {
  return `${seen.method}\n${seen.path}\n${seen.rule}${seen.gaps === null ? "" : `\n${seen.gaps}`}\r${seen.requestHeaders.join("\n")}\r${seen.responseHeaders.join("\n")}`;
}

/** Writes all but the request's body. */
function writeRest(data: Buffer, at: number, responseAt: number, seen: SeenExchange, text: string): void {
  data.writeInt32LE(seen.deploymentId, at + offset.deploymentId);
  data.writeDoubleLE(seen.sequence, at + offset.sequence);
  data.writeDoubleLE(seen.receivedAtMs, at + offset.receivedAtMs);
  data.writeDoubleLE(seen.primaryMs, at + offset.primaryMs);
  data.writeUInt16LE(seen.status, at + offset.status);
  data.writeUInt16LE(samples.indexOf(seen.sample), at + offset.sample);
  data.writeInt32LE(text.length, at + offset.textBytes);
  data.writeInt32LE(seen.requestBytes, at + offset.requestBytes);
  data.writeInt32LE(seen.responseBytes, at + offset.responseBytes);
  const textAt = writeChunks(data, responseAt, seen.responseChunks);
  // Head and headers are latin1, one character for each byte.
  data.write(text, textAt, "latin1");
}

/** @returns where they end */
function writeChunks(data: Buffer, at: number, chunks: readonly Uint8Array[]): number {
  let end = at;
  for (const chunk of chunks) end = copyBytes(chunk, data, end);
  return end;
}

/** Gives a record its id, the number of the cut that will cover it, and its checksum. */
export type Stamp = (data: Buffer, at: number, size: number, cut: number) => void;

/** @param sum for the checksum; the default serves any memory */
export function createStamp(sum: Checksum = checksum): Stamp {
  // Asking the kernel for a few random bytes at a time is the dearest part of an id.
  const pool = new Uint8Array(randomBytesKept);
  let used = pool.length;

  function random(): Uint8Array {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += idBytes;
    return pool.subarray(used - idBytes, used);
  }

  return (data, at, size, cut) => {
    data.writeDoubleLE(cut, at + offset.cut);
    v7({ msecs: receivedAtOf(data, at), random: random() }, data, at + offset.id);
    data.writeUInt32LE(sum(data, at + checkedFrom, at + size), at + offset.checksum);
  };
}

export function deploymentOf(data: Buffer, at: number): number {
  return data.readInt32LE(at + offset.deploymentId);
}

/** Whether the coin left it out. */
export function isLeftOut(data: Buffer, at: number): boolean {
  return data.readUInt16LE(at + offset.sample) === samples.indexOf("left_out");
}

export function receivedAtOf(data: Buffer, at: number): number {
  return data.readDoubleLE(at + offset.receivedAtMs);
}

type SeenParts = "requestHeaders" | "responseHeaders" | "requestChunks" | "responseChunks";

/** A record that was read back and found sound. */
export interface StoredRecord extends Omit<SeenExchange, SeenParts>, RecordMarks {
  id: string;
  cut: number;
  /** All headers, for {@link headerPairs}: many requests have the same, so not each needs to be taken apart. */
  requestHeaderText: string;
  responseHeaderText: string;
  requestBody: Buffer;
  responseBody: Buffer;
}

/** The size of the sound record at `at`, or 0 when there is none: the end, a torn tail, or damage. */
export function soundRecordSize(data: Buffer, at: number): number {
  if (at + offset.payload > data.length) return 0;
  const size = data.readInt32LE(at);
  if (size < offset.payload || at + size > data.length) return 0;
  const from = at + checkedFrom;
  const stated = data.readUInt32LE(at + offset.checksum);
  switch (data.readInt32LE(at + offset.kind)) {
    case recordKind.capture:
      return checksum(data, from, at + size) === stated ? size : 0;
    case olderKind:
      return crc32(data.subarray(from, at + size)) === stated ? size : 0;
    default:
      return 0;
  }
}

/** Reads a sound record. Bodies share its memory. */
export function readRecord(data: Buffer, at: number): StoredRecord {
  const textBytes = data.readInt32LE(at + offset.textBytes);
  const requestBytes = data.readInt32LE(at + offset.requestBytes);
  const responseBytes = data.readInt32LE(at + offset.responseBytes);
  const isOlder = data.readInt32LE(at + offset.kind) === olderKind;
  const requestAt = at + offset.payload + (isOlder ? textBytes : 0);
  const responseAt = requestAt + requestBytes;
  const textAt = isOlder ? at + offset.payload : responseAt + responseBytes;
  const [line = "", request = "", response = "", marks = ""] = data
    .toString("latin1", textAt, textAt + textBytes)
    .split("\r");
  const [method = "", path = "", rule = "", gaps] = line.split("\n");
  return {
    id: formatId(data.subarray(at + offset.id, at + offset.payload)),
    cut: data.readDoubleLE(at + offset.cut),
    deploymentId: deploymentOf(data, at),
    sequence: data.readDoubleLE(at + offset.sequence),
    receivedAtMs: receivedAtOf(data, at),
    primaryMs: data.readDoubleLE(at + offset.primaryMs),
    status: data.readUInt16LE(at + offset.status),
    sample: samples[data.readUInt16LE(at + offset.sample)] ?? "targeted",
    rule,
    gaps: gaps === undefined ? null : Number(gaps),
    method,
    path,
    requestHeaderText: request,
    responseHeaderText: response,
    ...marksOf(marks),
    requestBytes,
    responseBytes,
    requestBody: data.subarray(requestAt, responseAt),
    responseBody: data.subarray(responseAt, responseAt + responseBytes),
  };
}

/** The names and values in turn of a record's headers. */
export function headerPairs(text: string): string[] {
  return text === "" ? [] : text.split("\n");
}

function marksOf(text: string): RecordMarks {
  return text === ""
    ? { redacted: [], subject: null, sequencePlace: null }
    : (JSON.parse(text) as RecordMarks);
}

function formatId(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
