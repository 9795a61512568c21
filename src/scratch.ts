/**
 * Memory for what is put together only to be written, or read only to be passed on: one thing at a time. Memory of its
 * own for each would be the largest thing that is allocated, and collected, for it; and large memory comes fresh from
 * the kernel, page by page, which takes longer than to write into it.
 */
export class Scratch {
  readonly #keptBytesMax: number;
  #kept: Buffer | null = null;

  /** @param keptBytesMax what most things fit into; larger ones have memory of their own */
  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax;
  }

  /** At least so many bytes, holding whatever. Valid until the next `take`, unless it is left to its user. */
  take(bytes: number): Buffer {
    if (bytes > this.#keptBytesMax) return Buffer.allocUnsafeSlow(bytes);
    if (this.#kept === null || this.#kept.length < bytes) {
      const grown = 2 ** Math.ceil(Math.log2(Math.max(bytes, leastBytes)));
      this.#kept = Buffer.allocUnsafeSlow(Math.min(grown, this.#keptBytesMax));
    }
    return this.#kept;
  }

  /** What was taken last is still in use. */
  leave(): void {
    this.#kept = null;
  }
}

const leastBytes = 16 * 1024;
