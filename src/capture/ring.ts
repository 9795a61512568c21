/**
 * A ring of records between two threads, in shared memory: one producer, one consumer, no locks. A record never
 * wraps around the end, so that it can be read and written to a file where it lies; the space before the end that is
 * too small for the next record is skipped.
 */

/** What a record is. The first two fields of every record are its size and its kind. */
export const recordKind = { skip: 0, capture: 1, cut: 2 } as const;
export type RecordKind = (typeof recordKind)[keyof typeof recordKind];

/** Records begin at multiples of this, so that their size and kind never straddle the end of the ring. */
const alignment = 8;
const kindOffset = 4;

// Where the two positions lie in the control words, on cache lines of their own.
const headWord = 0;
const tailWord = 16;
const controlWords = 32;

/** The shared memory of a ring; both threads make their side from it. */
export interface RingMemory {
  control: SharedArrayBuffer;
  data: SharedArrayBuffer;
}

/** @param bytes capacity; a record of up to half of it always fits into an empty ring */
export function createRingMemory(bytes: number): RingMemory {
  return {
    control: new SharedArrayBuffer(controlWords * Int32Array.BYTES_PER_ELEMENT),
    data: new SharedArrayBuffer(bytes - (bytes % alignment)),
  };
}

/** Bytes that a record of so many takes. */
export function alignedSize(bytes: number): number {
  return bytes + ((alignment - (bytes % alignment)) % alignment);
}

export interface RingProducer {
  readonly data: Buffer;
  /**
   * Room for a record of `bytes`: where it begins, its size and kind already written, or -1 when the ring is full.
   * It becomes visible to the consumer by {@link publish}, or is forgotten by the next `reserve`.
   */
  reserve(bytes: number, kind: RecordKind): number;
  publish(): void;
  /** Bytes that the consumer has not released yet. */
  used(): number;
}

export function createRingProducer(memory: RingMemory): RingProducer {
  const control = new Int32Array(memory.control);
  const data = Buffer.from(memory.data);
  const capacity = data.length;
  let head = Atomics.load(control, headWord);
  let next = head;
  return {
    data,
    reserve(bytes, kind) {
      const size = alignedSize(bytes);
      const tail = Atomics.load(control, tailWord);
      let at = head;
      if (head >= tail) {
        // Head may never catch up with the tail: equal positions mean an empty ring.
        const fitsBeforeEnd = tail > 0 ? size <= capacity - head : size < capacity - head;
        if (!fitsBeforeEnd) {
          if (size >= tail) return -1;
          data.writeInt32LE(capacity - head, head);
          data.writeInt32LE(recordKind.skip, head + kindOffset);
          at = 0;
        }
      } else if (size >= tail - head) {
        return -1;
      }
      data.writeInt32LE(size, at);
      data.writeInt32LE(kind, at + kindOffset);
      // What lay there before belongs to another request: none of it may be kept as padding.
      data.fill(0, at + bytes, at + size);
      next = at + size === capacity ? 0 : at + size;
      return at;
    },
    publish() {
      head = next;
      Atomics.store(control, headWord, head);
    },
    used() {
      return (head - Atomics.load(control, tailWord) + capacity) % capacity;
    },
  };
}

/** A record where it lies in the ring's memory; valid until it is released. */
export interface RingRecord {
  kind: RecordKind;
  at: number;
  size: number;
}

export interface RingConsumer {
  readonly data: Buffer;
  /** The next record, or null when there is none. */
  next(): RingRecord | null;
  /** Gives back the room of all records that `next` gave. */
  release(): void;
}

export function createRingConsumer(memory: RingMemory): RingConsumer {
  const control = new Int32Array(memory.control);
  const data = Buffer.from(memory.data);
  let tail = Atomics.load(control, tailWord);
  return {
    data,
    next() {
      while (tail !== Atomics.load(control, headWord)) {
        const at = tail;
        const size = data.readInt32LE(at);
        const kind = data.readInt32LE(at + kindOffset) as RecordKind;
        tail = at + size === data.length ? 0 : at + size;
        if (kind !== recordKind.skip) return { kind, at, size };
      }
      return null;
    },
    release() {
      Atomics.store(control, tailWord, tail);
    },
  };
}
