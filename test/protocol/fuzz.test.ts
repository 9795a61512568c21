import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeContent } from "../../src/protocol/content.js";
import { ProtocolError } from "../../src/protocol/error.js";
import { parseHeaderLength } from "../../src/protocol/headers.js";
import {
  decodeInferRequest,
  decodeInferResponse,
  encodeInferRequest,
  encodeInferResponse,
  type InferTensor,
} from "../../src/protocol/infer.js";
import { elementBytes, elementCount } from "../../src/tensor/dtype.js";
import { bytesElements } from "../../src/tensor/view.js";
import { anyRequest, anyResponse } from "./messages.js";

interface Mutation {
  at: number;
  remove: number;
  insert: Uint8Array;
}

const insert = fc.oneof(
  fc.uint8Array({ maxLength: 4 }),
  fc
    .constantFrom(
      "[",
      "]",
      "{",
      "}",
      ",",
      '"',
      ":",
      "-",
      "9",
      "99999999",
      "1e999",
      "NaN",
      "null",
      "__proto__",
      "\\u",
    )
    .map((text) => new TextEncoder().encode(text)),
);
const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({ at: fc.nat(), remove: fc.integer({ min: 0, max: 6 }), insert }),
  { minLength: 1, maxLength: 4 },
);

/** The body with some bytes replaced, in a buffer of its own with poison around it. */
function mutated(body: Buffer, list: readonly Mutation[]): Buffer {
  const changed = list.reduce((bytes, { at, remove, insert: inserted }) => {
    const start = bytes.length === 0 ? 0 : at % bytes.length;
    return Buffer.concat([bytes.subarray(0, start), inserted, bytes.subarray(start + remove)]);
  }, body);
  const island = Buffer.alloc(changed.length + 128, 0xee);
  changed.copy(island, 64);
  return island.subarray(64, 64 + changed.length);
}

/** A decoded tensor keeps the invariant, and reaches into no bytes but the body's. */
function expectSound(tensor: InferTensor, body: Buffer): void {
  const { data, datatype, shape } = tensor;
  if (tensor.parameters.shared_memory_region !== undefined) return;
  const bytes = elementBytes(datatype);
  const count = bytes === null ? bytesElements(tensor).length : data.length / bytes;
  expect(count).toBe(elementCount(shape));
  if (data.buffer !== body.buffer) return;
  expect(data.byteOffset).toBeGreaterThanOrEqual(body.byteOffset);
  expect(data.byteOffset + data.length).toBeLessThanOrEqual(body.byteOffset + body.length);
}

/** Runs a decoder; true when it answered. Anything but a ProtocolError is a fault of ours. */
function decodes(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) {
      expect(error.message + error.excerpt).toMatch(/^[\x20-\x7e]*$/);
      return false;
    }
    throw error;
  }
}

const shift = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 3 }));

test("mutated bodies are read soundly or refused by a ProtocolError", () => {
  const seen = { read: 0, refused: 0 };
  fc.assert(
    fc.property(
      anyRequest,
      anyResponse,
      fc.boolean(),
      mutations,
      shift,
      (request, response, binary, list, by) => {
        const sent = encodeInferRequest(request, { binary });
        const answered = encodeInferResponse(response, { binary: () => binary });
        for (const [message, decode] of [
          [sent, (body: Buffer, length: number | null) => decodeInferRequest(body, length).inputs],
          [answered, (body: Buffer, length: number | null) => decodeInferResponse(body, length).outputs],
        ] as const) {
          const body = mutated(message.body, list);
          const length = message.headerLength === null ? null : message.headerLength + by;
          const ok = decodes(() => {
            for (const tensor of decode(body, length)) expectSound(tensor, body);
          });
          seen[ok ? "read" : "refused"]++;
        }
      },
    ),
    { numRuns: 2000 },
  );
  // Else the fuzz would show only that garbage is refused at the door.
  expect(seen.read).toBeGreaterThan(50);
  expect(seen.refused).toBeGreaterThan(1000);
});

test("any bytes, header and coding", () => {
  const coding = fc.option(fc.constantFrom("gzip", "deflate", "br", "gzip, gzip", ""), { nil: undefined });
  const header = fc.option(fc.oneof(fc.string(), fc.integer().map(String)), { nil: undefined });
  fc.assert(
    fc.property(fc.uint8Array(), coding, header, (bytes, contentEncoding, lengthText) => {
      decodes(() => {
        const body = decodeContent(bytes, contentEncoding, 1000);
        decodeInferRequest(body, parseHeaderLength(lengthText, body.length));
      });
      decodes(() => decodeInferResponse(bytes, parseHeaderLength(lengthText, bytes.length)));
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ["nested data", `{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":${"[".repeat(2_000_000)}`],
  [
    "closed nested data",
    `{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":${"[".repeat(1e6)}${"]".repeat(1e6)}}]}`,
  ],
  ["a long shape", `{"inputs":[{"name":"x","datatype":"FP32","shape":[${"1,".repeat(1e6)}1],"data":[1]}]}`],
  ["a million tensors of nothing", `{"inputs":[${"{},".repeat(1e6)}{}]}`],
  ["a million digits", `{"inputs":[],"parameters":{"n":${"9".repeat(1e6)}}}`],
])("%s is refused", (_what, text) => {
  expect(decodes(() => void decodeInferRequest(Buffer.from(text), null))).toBe(false);
});
