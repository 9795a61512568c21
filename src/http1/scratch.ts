/** What most requests with their heads fit into. */
const keptBytes = 16 * 1024;

/**
 * Memory for what is put together only to be written. A write that the kernel takes at once leaves it free for the
 * next; memory of its own for each request would be the largest thing that is allocated, and collected, for it.
 */
export class Scratch {
  #kept: Buffer | null = null;

  /** Valid until the next `take`, unless it is left to its writer. */
  take(bytes: number): Buffer {
    if (bytes > keptBytes) return Buffer.allocUnsafe(bytes);
    this.#kept ??= Buffer.allocUnsafeSlow(keptBytes);
    return this.#kept.subarray(0, bytes);
  }

  /** What was taken last is still being written. */
  leave(): void {
    this.#kept = null;
  }
}
