import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createSharedChecksum } from "../../src/capture/checksum.js";
import {
  createStamp,
  encodeRecord,
  headerPairs,
  readRecord,
  type StoredRecord,
  soundRecordSize,
  takeBodySlab,
  writeExchange,
  writeInSlab,
} from "../../src/capture/record.js";
import {
  createRingConsumer,
  createRingMemory,
  createRingProducer,
  slabBytes,
} from "../../src/capture/ring.js";
import { timeOfId } from "../../src/ids.js";

const latin1 = fc.stringMatching(/^[\x21-\x7e\xa0-\xff]{0,20}$/);
const headers = fc
  .array(fc.tuple(fc.stringMatching(/^[a-z-]{1,10}$/), latin1), { maxLength: 4 })
  .map((pairs) => pairs.flat());
const chunks = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 4 });
const total = (parts: readonly Uint8Array[]) => parts.reduce((sum, part) => sum + part.length, 0);

const exchange = fc
  .record({
    deploymentId: fc.nat(2 ** 31 - 1),
    sequence: fc.nat(Number.MAX_SAFE_INTEGER),
    receivedAtMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
    primaryMs: fc.double({ min: 0, noNaN: true }),
    status: fc.integer({ min: 100, max: 599 }),
    sample: fc.constantFrom("base" as const, "targeted" as const),
    rule: fc.constantFrom("", "all-errors"),
    gaps: fc.option(fc.nat()),
    method: fc.constant("POST"),
    path: latin1.map((text) => `/${text}`),
    requestHeaders: headers,
    responseHeaders: headers,
    requestChunks: chunks,
    responseChunks: chunks,
  })
  .map((seen) => ({
    ...seen,
    requestBytes: total(seen.requestChunks),
    responseBytes: total(seen.responseChunks),
  }));

function withPairs({ requestHeaderText, responseHeaderText, ...record }: StoredRecord) {
  return {
    ...record,
    requestHeaders: headerPairs(requestHeaderText),
    responseHeaders: headerPairs(responseHeaderText),
  };
}

test("an exchange is read as it was written, and no changed byte goes unnoticed", () => {
  fc.assert(
    fc.property(exchange, fc.nat(), fc.integer({ min: 1, max: 255 }), (seen, position, flip) => {
      const memory = createRingMemory(8192);
      expect(writeExchange(createRingProducer(memory), seen)).toBe(true);
      const consumer = createRingConsumer(memory);
      const { at, size } = consumer.next()!;
      createStamp()(consumer.data, at, size, 42);
      const data = Buffer.from(consumer.data.subarray(at, at + size));
      expect(soundRecordSize(data, 0)).toBe(size);

      const { requestChunks, responseChunks, ...rest } = seen;
      const { id, requestBody, responseBody, ...read } = withPairs(readRecord(data, 0));
      expect(read).toEqual({ ...rest, cut: 42, redacted: [], subject: null, sequencePlace: null });
      expect(timeOfId(id)).toBe(seen.receivedAtMs);
      expect(requestBody.equals(Buffer.concat(requestChunks))).toBe(true);
      expect(responseBody.equals(Buffer.concat(responseChunks))).toBe(true);

      const byte = position % size;
      data[byte] = data[byte]! ^ flip;
      expect(soundRecordSize(data, 0)).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test.each([16_383, 16_384, 65_536])("a body in chunks of %i bytes is read as it was written", (length) => {
  const chunk = (first: number) => Uint8Array.from({ length }, (_, index) => (first + index) % 251);
  const [seen] = fc.sample(exchange, 1);
  const body = { requestChunks: [chunk(1), chunk(2)], requestBytes: 2 * length };
  const memory = createRingMemory(1024 ** 2);
  writeExchange(createRingProducer(memory), { ...seen!, ...body });
  const consumer = createRingConsumer(memory);
  const { requestBody, responseBody } = readRecord(Buffer.from(consumer.data), consumer.next()!.at);
  expect(requestBody.equals(Buffer.concat(body.requestChunks))).toBe(true);
  expect(responseBody.equals(Buffer.concat(seen!.responseChunks))).toBe(true);
});

test("a record that was redacted carries what was, whatever the names are", () => {
  const marks = {
    redacted: ["input:né à Łódź\n\r🧮", "header:x"],
    subject: "0123456789abcdef0123456789abcdef",
    sequencePlace: { key: "01a20549-435c-7418-ab6f-fee58c2dd8c6", position: 3 },
  };
  fc.assert(
    fc.property(exchange, (seen) => {
      const data = encodeRecord(seen, marks);
      createStamp()(data, 0, data.length, 7);
      expect(soundRecordSize(data, 0)).toBe(data.length);
      const { requestChunks, responseChunks, ...rest } = seen;
      const { id, requestBody, responseBody, ...read } = withPairs(readRecord(data, 0));
      expect(read).toEqual({ ...rest, cut: 7, ...marks });
      expect(timeOfId(id)).toBe(seen.receivedAtMs);
      expect(requestBody.equals(Buffer.concat(requestChunks))).toBe(true);
      expect(responseBody.equals(Buffer.concat(responseChunks))).toBe(true);
    }),
  );
});

/** As older versions wrote it: of another kind, with its text before the bodies, and a CRC-32. */
function olderRecord(record: Buffer): Buffer {
  const [textBytes, requestBytes, responseBytes] = [44, 48, 52].map((at) => record.readInt32LE(at)) as [
    number,
    number,
    number,
  ];
  const older = Buffer.from(record);
  older.writeInt32LE(1, 4);
  const textAt = 80 + requestBytes + responseBytes;
  record.copy(older, 80, textAt, textAt + textBytes);
  record.copy(older, 80 + textBytes, 80, textAt);
  older.writeUInt32LE(crc32(older.subarray(12)), 8);
  return older;
}

test("what an older version left in the spool is read as it was meant", () => {
  const marks = { redacted: ["input:x"], subject: null, sequencePlace: null };
  fc.assert(
    fc.property(exchange, fc.nat(), (seen, position) => {
      const data = encodeRecord(seen, marks);
      createStamp()(data, 0, data.length, 7);
      const older = olderRecord(data);
      expect(soundRecordSize(older, 0)).toBe(older.length);
      expect(readRecord(older, 0)).toEqual(readRecord(data, 0));
      const byte = position % older.length;
      older[byte] = older[byte]! ^ 1;
      expect(soundRecordSize(older, 0)).toBe(0);
    }),
  );
});

test("an exchange whose body was read into a slab is read as any other, and takes the slab with it", () => {
  fc.assert(
    fc.property(exchange, fc.integer({ min: 1, max: slabBytes }), (seen, bytes) => {
      const memory = createRingMemory(8192, 1);
      const ring = createRingProducer(memory);
      const slab = takeBodySlab(ring, bytes);
      if (bytes > slabBytes - 80) {
        expect(slab).toBeNull();
        return;
      }
      expect(takeBodySlab(ring, 1)).toBeNull();
      slab!.bytes.fill(bytes % 251);
      const inSlab = { ...seen, requestChunks: [slab!.bytes], requestBytes: bytes };
      if (!writeInSlab(slab!, inSlab)) {
        expect(bytes + seen.responseBytes).toBeGreaterThan(slabBytes - 2_000);
        return;
      }
      const consumer = createRingConsumer(memory);
      const { at, size } = consumer.next()!;
      createStamp(createSharedChecksum(memory.data))(consumer.data, at, size, 42);
      const data = Buffer.from(consumer.data.subarray(at, at + size));
      expect(soundRecordSize(data, 0)).toBe(size);
      const { requestBody, responseBody, sequence, path } = readRecord(data, 0);
      expect(requestBody.equals(Buffer.alloc(bytes, bytes % 251))).toBe(true);
      expect(responseBody.equals(Buffer.concat(seen.responseChunks))).toBe(true);
      expect([sequence, path]).toEqual([seen.sequence, seen.path]);
      expect(takeBodySlab(ring, 1)).toBeNull();
      consumer.release();
      expect(takeBodySlab(ring, 1)).not.toBeNull();
    }),
    { numRuns: 50 },
  );
});

test.each([0, 1, 79, 80, 100])("%i bytes of a record are no record", (length) => {
  const memory = createRingMemory(8192);
  writeExchange(createRingProducer(memory), fc.sample(exchange, 1)[0]!);
  const consumer = createRingConsumer(memory);
  const { at, size } = consumer.next()!;
  createStamp()(consumer.data, at, size, 1);
  const torn = consumer.data.subarray(at, at + Math.min(length, size - 1));
  expect(soundRecordSize(torn, 0)).toBe(0);
});
