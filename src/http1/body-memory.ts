/** Larger bodies are not read in one piece: whoever announces one would be given memory for it with its first byte. */
export const wholeBytesMax = 4 * 1024 ** 2;
/** Bodies up to this size are always given memory in one piece. */
export const contiguousBytesMax = 64 * 1024;
/** Larger ones, as long as so much is lent altogether: beyond it they are copied in pieces, which are soon gone. */
const lentBytesMax = 256 * 1024 ** 2;
const leastBytes = 4 * 1024;
/** What is kept for the next bodies, over all sizes. */
const keptBytesMax = 64 * 1024 ** 2;

/** Memory that a body is read into, for as long as anyone may read or write it. */
export interface LentMemory {
  readonly bytes: Buffer;
  giveBack(): void;
}

/**
 * Memory for the bodies of requests, used again and again. A body that is read to where it stays needs no copy, and
 * memory of its own for each would be the largest thing that is allocated, and collected, for a request.
 */
export class BodyMemory {
  /** By size, each twice the one before. */
  readonly #free: Buffer[][] = [];
  #keptBytes = 0;
  #lentBytes = 0;

  /** @returns at least so many bytes, holding whatever; null: too much is lent already */
  take(bytes: number): Buffer | null {
    const size = sizeClass(bytes);
    if (bytes > contiguousBytesMax && this.#lentBytes + (leastBytes << size) > lentBytesMax) return null;
    this.#lentBytes += leastBytes << size;
    const kept = this.#free[size]?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(leastBytes << size);
    this.#keptBytes -= kept.length;
    return kept;
  }

  /** Nobody reads or writes it any more. */
  giveBack(memory: Buffer): void {
    this.#lentBytes -= memory.length;
    if (this.#keptBytes + memory.length > keptBytesMax) return;
    this.#keptBytes += memory.length;
    const size = sizeClass(memory.length);
    this.#free[size] ??= [];
    this.#free[size].push(memory);
  }
}

function sizeClass(bytes: number): number {
  return bytes <= leastBytes ? 0 : 32 - Math.clz32((bytes - 1) / leastBytes);
}
