import { crc32 } from "node:zlib";
import type { ColumnSource } from "hyparquet-writer";

/**
 * Of texts that mostly repeat: a dictionary, without looking first whether one pays. Nobody looks for a smallest or a
 * largest, and what is left is too short to be compressed.
 */
export const repeated = { encoding: "RLE_DICTIONARY", codec: "UNCOMPRESSED", statistics: false } as const;
/** Of values that hardly repeat, and by which nobody looks: a dictionary or a compression would find nothing. */
export const distinct = { encoding: "PLAIN", codec: "UNCOMPRESSED", statistics: false } as const;

/** Where at least this share of bodies repeats an earlier one, a dictionary holds each once. */
const dictionaryShare = 0.5;
/** Of each end of a body, looked at to find the one that it may be equal to. */
const endBytes = 64;

/**
 * A column of bodies, not compressed. Equal bodies are made one object: the writer, which hashes byte by byte, then knows
 * them without looking.
 */
export function bodyColumn(name: string, bodies: readonly Uint8Array[]): ColumnSource {
  const byEnds = new Map<number, Uint8Array>();
  const byChecksum = new Map<number, Uint8Array>();
  let repeats = 0;
  const data = bodies.map((body) => {
    // Few bodies are alike at both ends and yet not equal; only those are read to be told apart.
    const known = keptUnder(byEnds, checksumOfEnds(body), body) ?? keptUnder(byChecksum, crc32(body), body);
    if (known === null || known === body) return body;
    repeats += 1;
    return known;
  });
  const plain = repeats < bodies.length * dictionaryShare;
  return {
    name,
    type: "BYTE_ARRAY",
    data,
    codec: "UNCOMPRESSED",
    statistics: false,
    ...(plain && { encoding: "PLAIN" }),
  };
}

function checksumOfEnds(body: Uint8Array): number {
  return crc32(body.subarray(-endBytes), crc32(body.subarray(0, endBytes), body.length));
}

/** The body kept under a key, which is this one where there was none; null: another has its place. */
function keptUnder(kept: Map<number, Uint8Array>, key: number, body: Uint8Array): Uint8Array | null {
  const before = kept.get(key);
  if (before === undefined) {
    kept.set(key, body);
    return body;
  }
  return Buffer.compare(before, body) === 0 ? before : null;
}
