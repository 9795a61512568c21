import { crc32 } from "node:zlib";
import type { ColumnSource } from "hyparquet-writer";

/** Where at least this share of bodies repeats an earlier one, a dictionary holds each once. */
const dictionaryShare = 0.5;

/**
 * A column of bodies, not compressed. Equal bodies are made one object: the writer, which hashes byte by byte, then knows
 * them without looking.
 */
export function bodyColumn(name: string, bodies: readonly Uint8Array[]): ColumnSource {
  const known = new Map<number, Uint8Array>();
  let repeated = 0;
  const data = bodies.map((body) => {
    const checksum = crc32(body);
    const before = known.get(checksum);
    if (before === undefined) known.set(checksum, body);
    if (before === undefined || Buffer.compare(before, body) !== 0) return body;
    repeated += 1;
    return before;
  });
  const plain = repeated < bodies.length * dictionaryShare;
  return {
    name,
    type: "BYTE_ARRAY",
    data,
    codec: "UNCOMPRESSED",
    statistics: false,
    ...(plain && { encoding: "PLAIN" }),
  };
}
