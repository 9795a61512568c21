import { crc32, inflateRawSync } from "node:zlib";
import { messageOf } from "../errors.js";
import { excerptOf, quoted } from "../protocol/error.js";
import { FormatError } from "./format-error.js";

export interface ZipMember {
  /** Its name's bytes, read as UTF-8. */
  name: string;
  /** Inflated, and agreeing with its checksum. Shares the file's memory when it was stored. */
  data: Buffer;
}

/** What the central directory says of a member. */
interface Entry {
  name: string;
  flags: number;
  method: number;
  checksum: number;
  packedBytes: number;
  bytes: number;
  localAt: number;
}

const endBytes = 22;
const commentBytesMax = 65_535;

/**
 * Reads the members of a zip file, stored or deflated. Whatever the file claims is checked against what is there, and
 * sizes before anything is inflated. Without ZIP64: that is for files larger than are read here. Throws FormatError.
 *
 * @param bytesMax sum of the members' sizes
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export function readZip(file: Buffer, bytesMax: number): ZipMember[] {
  const { entries, directoryAt } = readDirectory(file);
  const bytes = total(entries.map((entry) => entry.bytes));
  if (bytes > bytesMax) {
    throw new FormatError(`holds ${bytes} bytes once inflated; ${bytesMax} at most are read`);
  }
  // Members that share bytes can ask for far more work than there is file.
  if (total(entries.map(({ packedBytes }) => packedBytes)) > directoryAt) {
    throw new FormatError("is a damaged zip file: its members overlap");
  }
  return entries.map((entry) => ({
    name: entry.name,
    data: readMember(file.subarray(0, directoryAt), entry),
  }));
}

function total(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}

function readDirectory(file: Buffer): { entries: Entry[]; directoryAt: number } {
  const end = findEnd(file);
  const count = end.readUInt16LE(10);
  const directoryBytes = end.readUInt32LE(12);
  const directoryAt = end.readUInt32LE(16);
  if (count === 0xffff || directoryAt === 0xffffffff)
    throw new FormatError("is a ZIP64 file, which is not read");
  if (directoryAt + directoryBytes !== end.byteOffset - file.byteOffset) {
    throw new FormatError("is a damaged zip file: its directory is not where it should be");
  }
  const directory = file.subarray(directoryAt, directoryAt + directoryBytes);
  const entries: Entry[] = [];
  for (let at = 0; entries.length < count; ) {
    const fixed = record(directory, at, 46, 0x02014b50, "directory");
    const nameBytes = fixed.readUInt16LE(28);
    entries.push({
      name: part(directory, at + 46, nameBytes, "directory").toString("utf8"),
      flags: fixed.readUInt16LE(8),
      method: fixed.readUInt16LE(10),
      checksum: fixed.readUInt32LE(16),
      packedBytes: fixed.readUInt32LE(20),
      bytes: fixed.readUInt32LE(24),
      localAt: fixed.readUInt32LE(42),
    });
    at += 46 + nameBytes + fixed.readUInt16LE(30) + fixed.readUInt16LE(32);
  }
  return { entries, directoryAt };
}

/** The record at the file's end; a comment, whose length it tells, may follow it. */
function findEnd(file: Buffer): Buffer {
  for (let at = file.length - endBytes; at >= Math.max(0, file.length - endBytes - commentBytesMax); at--) {
    if (file.readUInt32LE(at) === 0x06054b50 && file.readUInt16LE(at + 20) === file.length - at - endBytes) {
      return file.subarray(at, at + endBytes);
    }
  }
  throw new FormatError("is a damaged zip file: it does not end as one");
}

/** @param file up to the directory, so that no member reaches into it */
function readMember(file: Buffer, entry: Entry): Buffer {
  const where = `member ${quoted(entry.name)}`;
  if ((entry.flags & 1) === 1) throw new FormatError(`${where}: is encrypted`);
  const fixed = record(file, entry.localAt, 30, 0x04034b50, where);
  const start = entry.localAt + 30 + fixed.readUInt16LE(26) + fixed.readUInt16LE(28);
  const data = inflated(where, part(file, start, entry.packedBytes, where), entry);
  if (data.length !== entry.bytes) {
    throw new FormatError(`${where}: must have ${entry.bytes} bytes, found ${data.length}`);
  }
  if (crc32(data) !== entry.checksum) throw new FormatError(`${where}: is damaged, its checksum is wrong`);
  return data;
}

function inflated(where: string, packed: Buffer, { method, bytes }: Entry): Buffer {
  switch (method) {
    case 0:
      return packed;
    case 8:
      try {
        return inflateRawSync(packed, { maxOutputLength: Math.max(1, bytes) });
      } catch (error) {
        throw new FormatError(`${where}: cannot be inflated: ${excerptOf(messageOf(error))}`);
      }
    default:
      throw new FormatError(
        `${where}: is compressed by method ${method}; stored (0) and deflated (8) are read`,
      );
  }
}

function record(file: Buffer, at: number, length: number, signature: number, where: string): Buffer {
  const bytes = part(file, at, length, where);
  if (bytes.readUInt32LE(0) !== signature) throw new FormatError(`${where}: is damaged, a record is missing`);
  return bytes;
}

function part(file: Buffer, at: number, length: number, where: string): Buffer {
  if (at + length > file.length) throw new FormatError(`${where}: is damaged, it reaches beyond its end`);
  return file.subarray(at, at + length);
}
