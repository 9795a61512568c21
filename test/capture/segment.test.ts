import fc from "fast-check";
import { parquetMetadata } from "hyparquet";
import { expect, test } from "vitest";
import type { Capture } from "../../src/capture/capture.js";
import { readSegment, writeSegment } from "../../src/capture/segment.js";
import { segmentCaptures } from "../../src/capture/spool.js";
import { newId } from "../../src/ids.js";

const text = fc.string({ maxLength: 20 });
const bytes = fc.uint8Array({ maxLength: 300 });
const headers = fc.dictionary(fc.stringMatching(/^[a-z-]{1,12}$/), text, { maxKeys: 4 });

const captureArbitrary: fc.Arbitrary<Capture> = fc.record({
  id: fc.integer({ min: 0, max: 4_102_444_800_000 }).map((at) => newId(at)),
  sequence: fc.nat(Number.MAX_SAFE_INTEGER),
  deploymentId: fc.nat(2 ** 31 - 1),
  receivedAtMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  transport: fc.constant("http" as const),
  method: fc.constant("POST"),
  path: text,
  requestHeaders: headers,
  requestBody: bytes,
  status: fc.integer({ min: 100, max: 599 }),
  responseHeaders: headers,
  responseBody: bytes,
  primaryMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  primaryVersion: text,
  sample: fc.constantFrom("base" as const, "targeted" as const),
  rule: fc.constantFrom("", "all-errors"),
  sequencePlace: fc.option(fc.record({ key: fc.uuid(), position: fc.nat(1_000) })),
  tags: headers,
  redacted: fc.array(text, { maxLength: 3 }),
  subject: fc.constantFrom(null, "0123456789abcdef0123456789abcdef"),
});

function plain(capture: Capture): object {
  return {
    ...capture,
    requestHeaders: { ...capture.requestHeaders },
    responseHeaders: { ...capture.responseHeaders },
    tags: { ...capture.tags },
    requestBody: Buffer.from(capture.requestBody).toString("hex"),
    responseBody: Buffer.from(capture.responseBody).toString("hex"),
  };
}

test("what is written is read back, in order and to the byte", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(captureArbitrary, { minLength: 1, maxLength: 40 }), async (captures) => {
      const read = await readSegment(writeSegment(captures, { epoch: "e" }));
      const whole = { requestBodySha256: null, responseBodySha256: null };
      expect(read.map(plain)).toEqual(captures.map((capture) => ({ ...plain(capture), ...whole })));
    }),
    { numRuns: 60 },
  );
});

test("a repeated body, which the writer keeps once in a dictionary, is read back for every row", async () => {
  const [first] = fc.sample(captureArbitrary, 1);
  const body = Buffer.alloc(100_000, 7);
  const captures = Array.from({ length: 256 }, (_, row) => ({
    ...first!,
    sequence: row,
    requestBody: body,
    responseBody: Buffer.from([row]),
  }));
  const read = await readSegment(writeSegment(captures));
  expect(read.every((capture) => Buffer.from(capture.requestBody).equals(body))).toBe(true);
  expect(read.map((capture) => capture.responseBody[0])).toEqual(captures.map((_, row) => row));
});

test("a full segment is one row group, and each text that repeats is in it once", async () => {
  const [first] = fc.sample(captureArbitrary, 1);
  const path = `/v2/models/${"m".repeat(500)}/infer`;
  const captures = Array.from({ length: segmentCaptures + 200 }, (_, sequence) => ({
    ...first!,
    sequence,
    path,
  }));
  const bytes = writeSegment(captures);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  expect(parquetMetadata(file).row_groups).toHaveLength(1);
  expect(bytes.toString("latin1").split(path)).toHaveLength(2);
  expect((await readSegment(bytes)).map(({ sequence }) => sequence)).toEqual([...captures.keys()]);
});

test("the same captures give the same bytes", () => {
  const captures = fc.sample(captureArbitrary, 20);
  expect(writeSegment(captures).equals(writeSegment(captures))).toBe(true);
});

test("a body far larger than a page survives", async () => {
  const [first] = fc.sample(captureArbitrary, 1);
  const body = Buffer.allocUnsafe(20_000_000);
  for (let index = 0; index < body.length; index++) body[index] = (index * 2_654_435_761) >>> 13;
  const read = await readSegment(writeSegment([{ ...first!, requestBody: body }]));
  expect(Buffer.from(read[0]!.requestBody).equals(body)).toBe(true);
});

test("bodies that differ in the middle only are told apart, and kept once each", async () => {
  const [first] = fc.sample(captureArbitrary, 1);
  const bodies = [1, 2, 3].map((middle) => Buffer.alloc(100_000).fill(middle, 50_000, 50_001));
  const captures = Array.from({ length: 30 }, (_, row) => ({
    ...first!,
    id: newId(row),
    requestBody: Buffer.from(bodies[row % 3]!),
  }));
  const bytes = writeSegment(captures);
  expect(bytes.length).toBeLessThan(400_000);
  expect((await readSegment(bytes)).map(({ requestBody }) => requestBody[50_000])).toEqual(
    captures.map(({ requestBody }) => requestBody[50_000]),
  );
});
