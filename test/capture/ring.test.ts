import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createRingConsumer,
  createRingMemory,
  createRingProducer,
  recordKind,
} from "../../src/capture/ring.js";

const header = 8;

/** What a producer and a consumer do in turn: a record of so many bytes, or up to so many records taken out. */
const step = fc.oneof(
  fc.record({ put: fc.integer({ min: header, max: 300 }) }),
  fc.record({ take: fc.integer({ min: 1, max: 6 }) }),
);

test("gives back every record that went in, in order and to the byte, around the end and around again", () => {
  let wrapped = 0;
  let refused = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 64, max: 1024 }),
      fc.array(step, { minLength: 200, maxLength: 400 }),
      (bytes, steps) => {
        const memory = createRingMemory(bytes);
        const producer = createRingProducer(memory);
        const consumer = createRingConsumer(memory);
        const expected: Buffer[] = [];
        let lastAt = -1;
        let count = 0;
        const take = (most: number) => {
          for (let taken = 0; taken < most; taken++) {
            const record = consumer.next();
            if (record === null) break;
            const { at, size, kind } = record;
            const payload = expected.shift()!;
            expect(kind).toBe(recordKind.capture);
            expect(consumer.data.subarray(at + header, at + header + payload.length).equals(payload)).toBe(
              true,
            );
            // The padding holds nothing of what lay there before.
            const padding = consumer.data.subarray(at + header + payload.length, at + size);
            expect(padding.every((byte) => byte === 0)).toBe(true);
          }
          consumer.release();
        };
        for (const one of steps) {
          if ("take" in one) {
            take(one.take);
            continue;
          }
          const at = producer.reserve(one.put, recordKind.capture);
          if (at < 0) {
            refused += 1;
            continue;
          }
          count += 1;
          const payload = Buffer.alloc(one.put - header, (count % 255) + 1);
          producer.data.set(payload, at + header);
          producer.publish();
          expected.push(payload);
          if (at < lastAt) wrapped += 1;
          lastAt = at;
        }
        take(Number.POSITIVE_INFINITY);
        expect(expected).toEqual([]);
        expect(producer.used()).toBe(0);
      },
    ),
    { numRuns: 100 },
  );
  expect(wrapped).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});

test("a record of up to half the ring fits into an empty one, wherever its positions are", () => {
  for (let start = 0; start < 1024; start += 8) {
    const memory = createRingMemory(1024);
    const producer = createRingProducer(memory);
    const consumer = createRingConsumer(memory);
    for (let moved = 0; moved < start; moved += 8) {
      expect(producer.reserve(8, recordKind.cut)).toBeGreaterThanOrEqual(0);
      producer.publish();
      consumer.next();
      consumer.release();
    }
    expect(producer.reserve(504, recordKind.capture)).toBeGreaterThanOrEqual(0);
  }
});

test("what is reserved and not published is never seen", () => {
  const memory = createRingMemory(256);
  const producer = createRingProducer(memory);
  const consumer = createRingConsumer(memory);
  producer.reserve(64, recordKind.capture);
  expect(consumer.next()).toBeNull();
  producer.reserve(24, recordKind.cut);
  producer.publish();
  expect(consumer.next()).toMatchObject({ kind: recordKind.cut, size: 24 });
  expect(consumer.next()).toBeNull();
});

test("slabs take their places among the records as they are published, and none is used again before it is released", () => {
  const act = fc.oneof(
    ...["take", "publish", "giveBack", "record", "read", "release"].map((name) => fc.constant(name)),
  );
  fc.assert(
    fc.property(fc.array(act, { minLength: 50, maxLength: 200 }), fc.nat(), (acts, seed) => {
      const memory = createRingMemory(4096, 4);
      const producer = createRingProducer(memory);
      const consumer = createRingConsumer(memory);
      const filling = new Map<number, number>();
      const written: number[] = [];
      const unread = new Set<number>();
      const reading = new Set<number>();
      let count = 0;
      for (const name of acts) {
        const [slab] = [...filling.keys()].slice(seed % Math.max(1, filling.size));
        if (name === "take") {
          const at = producer.takeSlab();
          if (at < 0) continue;
          expect(filling.has(at) || unread.has(at) || reading.has(at)).toBe(false);
          filling.set(at, ++count);
        } else if (name === "record") {
          const at = producer.reserve(16, recordKind.capture);
          if (at < 0) continue;
          producer.data.writeInt32LE(++count, at + header);
          producer.publish();
          written.push(count);
        } else if (name === "read") {
          const record = consumer.next();
          expect(record === null).toBe(written.length === 0);
          if (record === null) continue;
          expect(record.kind).toBe(recordKind.capture);
          expect(consumer.data.readInt32LE(record.at + header)).toBe(written.shift());
          if (unread.delete(record.at)) reading.add(record.at);
        } else if (name === "release") {
          consumer.release();
          reading.clear();
        } else if (slab !== undefined) {
          producer.data.writeInt32LE(filling.get(slab)!, slab + header);
          if (name === "giveBack") producer.giveSlabBack(slab);
          else if (producer.publishSlab(slab, 100)) {
            written.push(filling.get(slab)!);
            unread.add(slab);
          } else continue;
          filling.delete(slab);
        }
      }
    }),
    { numRuns: 300 },
  );
});
