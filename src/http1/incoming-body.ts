import { copyBytes } from "../copy-bytes.js";
import { type BodyMemory, type LentMemory, wholeBytesMax } from "./body-memory.js";

/**
 * Where the bodies of one connection's requests lie, one at a time: its parts stay as they are until it is freed. One
 * of a known length has memory of its own, which its socket reads into; parts of others are copied.
 */
export class IncomingBody {
  readonly #pool: BodyMemory;
  #memory: Buffer | null = null;
  #lent: LentMemory | null = null;
  #received = 0;
  #into: Buffer | null = null;

  constructor(pool: BodyMemory) {
    this.#pool = pool;
  }

  /** Where its connection's next read should go; null: to memory that is used again for any other. */
  get into(): Buffer | null {
    return this.#into;
  }

  get hasBegun(): boolean {
    return this.#received > 0;
  }

  /**
   * Before its first part, of a body of so many bytes.
   * @param lend asked for its memory; null: the pool's is taken
   */
  begin(bytes: number, lend: (bytes: number) => LentMemory | null): void {
    if (bytes > wholeBytesMax) return;
    this.#lent = lend(bytes);
    this.#memory = this.#lent?.bytes ?? this.#pool.take(bytes);
  }

  /** @returns the part where it stays */
  keep(part: Buffer): Buffer {
    const from = this.#received;
    this.#received += part.length;
    if (this.#memory === null) return Buffer.from(part);
    // Read to where it stays.
    if (part.buffer === this.#memory.buffer) return part;
    return this.#memory.subarray(from, copyBytes(part, this.#memory, from));
  }

  /** The rest of it, so many bytes, is read to where it stays, and not a byte of what is behind it. */
  aim(left: number): void {
    this.#into =
      this.#memory === null || left === 0
        ? null
        : this.#memory.subarray(this.#received, this.#received + left);
  }

  /**
   * Nobody needs its parts any more. While its connection reads into its memory, that can be nobody else's.
   * @param isRead whether its connection may still read
   */
  free(isRead: boolean): void {
    this.#received = 0;
    if (isRead && this.#into !== null) return;
    if (this.#lent !== null) this.#lent.giveBack();
    else if (this.#memory !== null) this.#pool.giveBack(this.#memory);
    this.#lent = null;
    this.#memory = null;
    this.#into = null;
  }
}
