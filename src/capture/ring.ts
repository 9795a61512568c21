import { WebAssembly, type WebAssemblyMemory } from "../webassembly.js";

/**
 * A ring of records between two threads, in shared memory: one producer, one consumer, no locks. A record never
 * wraps around the end, so that it can be read and written to a file where it lies; the space before the end that is
 * too small for the next record is skipped.
 *
 * Behind the ring lie slabs, for records whose bytes come little by little: each is filled by the producer while others
 * pass, and then takes its place in the ring by a record that names it.
 */

/**
 * What a record is. The first two fields of every record are its size and its kind. 1 was a capture as older versions
 * wrote it, which is still found in files.
 */
export const recordKind = { skip: 0, cut: 2, capture: 3, slab: 4 } as const;
export type RecordKind = (typeof recordKind)[keyof typeof recordKind];

/** Records begin at multiples of this, so that their size and kind never straddle the end of the ring. */
const alignment = 8;
const kindOffset = 4;

// Where the two positions lie in the control words, on cache lines of their own.
const headWord = 0;
const tailWord = 16;
const controlWords = 32;

const pageBytes = 64 * 1024;
/** What a slab holds: the commonest of large bodies, with an answer and all that is said about them. */
export const slabBytes = 1024 ** 2;
/** Of a record that names a slab. */
const slabRecordBytes = 16;
const slabOffset = 8;
/** Whose a slab is, by its word behind the control words. */
const ofProducer = 0;
const ofConsumer = 1;

/** The shared memory of a ring; both threads make their side from it. */
export interface RingMemory {
  control: SharedArrayBuffer;
  /** WebAssembly's, which can then read it where it lies. */
  data: WebAssemblyMemory<SharedArrayBuffer>;
  /** Of the ring; the slabs begin at the next page. */
  bytes: number;
  slabs: number;
}

/** @param bytes capacity; a record of up to half of it always fits into an empty ring */
export function createRingMemory(bytes: number, slabs = 0): RingMemory {
  const pages = (slabsBegin(bytes) + slabs * slabBytes) / pageBytes;
  return {
    control: new SharedArrayBuffer((controlWords + slabs) * Int32Array.BYTES_PER_ELEMENT),
    data: new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }),
    bytes: bytes - (bytes % alignment),
    slabs,
  };
}

function slabsBegin(bytes: number): number {
  return Math.ceil(bytes / pageBytes) * pageBytes;
}

/** The control word that says whose the slab is. */
function wordOf({ bytes }: RingMemory, slab: number): number {
  return controlWords + (slab - slabsBegin(bytes)) / slabBytes;
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
  /** A slab to be filled: where in `data` it begins; -1: all are in use. It is published, or given back. */
  takeSlab(): number;
  giveSlabBack(at: number): void;
  /** The next record is the one of `bytes` in this slab. False: there is no room, and the slab is still the producer's. */
  publishSlab(at: number, bytes: number): boolean;
  /** Bytes that the consumer has not released yet, slabs as wholes. */
  used(): number;
}

export function createRingProducer(memory: RingMemory): RingProducer {
  const control = new Int32Array(memory.control);
  const data = Buffer.from(memory.data.buffer);
  const capacity = memory.bytes;
  const firstSlab = slabsBegin(capacity);
  let head = Atomics.load(control, headWord);
  let next = head;
  // The one that was used last is the likeliest to lie in the processor's cache.
  const free = Array.from({ length: memory.slabs }, (_, index) => firstSlab + index * slabBytes);
  let published: number[] = [];

  function startRecord(at: number, bytes: number, kind: RecordKind): void {
    const size = alignedSize(bytes);
    data.writeInt32LE(size, at);
    data.writeInt32LE(kind, at + kindOffset);
    // What lay there before belongs to another request: none of it may be kept as padding.
    data.fill(0, at + bytes, at + size);
  }

  /** Takes back what the consumer has released. */
  function reclaim(): void {
    published = published.filter((slab) => {
      if (Atomics.load(control, wordOf(memory, slab)) === ofConsumer) return true;
      free.push(slab);
      return false;
    });
  }

  const producer: RingProducer = {
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
      startRecord(at, bytes, kind);
      next = at + size === capacity ? 0 : at + size;
      return at;
    },
    publish() {
      head = next;
      Atomics.store(control, headWord, head);
    },
    takeSlab() {
      reclaim();
      return free.pop() ?? -1;
    },
    giveSlabBack(at) {
      free.push(at);
    },
    publishSlab(at, bytes) {
      const named = producer.reserve(slabRecordBytes, recordKind.slab);
      if (named < 0) return false;
      data.writeDoubleLE(at, named + slabOffset);
      startRecord(at, bytes, recordKind.capture);
      Atomics.store(control, wordOf(memory, at), ofConsumer);
      published.push(at);
      producer.publish();
      return true;
    },
    used() {
      reclaim();
      return published.length * slabBytes + ((head - Atomics.load(control, tailWord) + capacity) % capacity);
    },
  };
  return producer;
}

/** A record where it lies in the shared memory; valid until it is released. */
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
  const data = Buffer.from(memory.data.buffer);
  const capacity = memory.bytes;
  let tail = Atomics.load(control, tailWord);
  let slabs: number[] = [];
  return {
    data,
    next() {
      while (tail !== Atomics.load(control, headWord)) {
        const at = tail;
        const size = data.readInt32LE(at);
        const kind = data.readInt32LE(at + kindOffset) as RecordKind;
        tail = at + size === capacity ? 0 : at + size;
        if (kind === recordKind.slab) {
          const slab = data.readDoubleLE(at + slabOffset);
          slabs.push(slab);
          return { kind: recordKind.capture, at: slab, size: data.readInt32LE(slab) };
        }
        if (kind !== recordKind.skip) return { kind, at, size };
      }
      return null;
    },
    release() {
      for (const slab of slabs) Atomics.store(control, wordOf(memory, slab), ofProducer);
      if (slabs.length > 0) slabs = [];
      Atomics.store(control, tailWord, tail);
    },
  };
}
