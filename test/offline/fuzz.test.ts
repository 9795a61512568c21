import fc from "fast-check";
import { expect, test } from "vitest";
import { FormatError } from "../../src/offline/format-error.js";
import { answerOf } from "../../src/offline/read-answer.js";
import { ProtocolError } from "../../src/protocol/error.js";
import { encodeInferResponse } from "../../src/protocol/infer.js";
import { elementBytes, elementCount } from "../../src/tensor/dtype.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { bytesElements } from "../../src/tensor/view.js";
import { floats, npy, smallLimits, zip } from "./files.js";

const array = npy("<f4", [2, 2], floats(1, 2, 3, 4));
const text = npy(">U2", [2], Buffer.from("\0\0\0a\0\0\0b\0\0\0c\0\0\0\0"));
const output = { name: "a", datatype: "FP32", shape: [2], parameters: {}, data: floats(1, 2) } as const;
const response = { modelName: "m", modelVersion: "1", parameters: {}, outputs: [output] };

const files: Buffer[] = [
  array,
  text,
  npy("|S3", [2], Buffer.from("abcde\0"), { fortranOrder: true, version: [3, 0] }),
  zip([
    { name: "a.npy", data: array },
    { name: "b.npy", data: text, deflated: true },
  ]),
  encodeInferResponse(response, { binary: () => true }).body,
  encodeInferResponse(response, { binary: () => false }).body,
];

/** Replaces `remove` bytes at a place by others. */
const mutation = fc.record({
  at: fc.nat(),
  remove: fc.nat(8),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc
      .constantFrom(
        "\xff\xff",
        "\xff\xff\xff\xff",
        "\0\0\0\0",
        "PK\x05\x06",
        "9",
        "(",
        ")",
        "'",
        "<f8",
        "O",
        "{",
        "}",
        "-1",
      )
      .map((insert) => Buffer.from(insert, "latin1")),
  ),
});

function mutated(
  file: Buffer,
  mutations: readonly { at: number; remove: number; insert: Uint8Array }[],
): Buffer {
  return mutations.reduce((bytes, { at, remove, insert }) => {
    const place = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + remove)]);
  }, file);
}

function expectSound(tensor: Tensor): void {
  const size = elementBytes(tensor.datatype);
  const count = elementCount(tensor.shape);
  if (size === null) expect(bytesElements(tensor)).toHaveLength(count);
  else expect(tensor.data.length).toBe(count * size);
}

test("mutated files are read as what they are, or refused by name", () => {
  let read = 0;
  let refused = 0;
  const anyFile = fc
    .tuple(fc.constantFrom(...files), fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([file, mutations]) => mutated(file, mutations));
  fc.assert(
    fc.property(fc.oneof({ weight: 20, arbitrary: anyFile }, fc.uint8Array().map(Buffer.from)), (file) => {
      try {
        answerOf(Buffer.from(file), null, smallLimits).response.outputs.forEach(expectSound);
        read++;
      } catch (error) {
        // Anything else would be a fault of ours: an assertion, a read beyond the end, no memory.
        if (!(error instanceof FormatError || error instanceof ProtocolError)) throw error;
        expect(error.message).toMatch(/^[\x20-\x7e]+$/);
        refused++;
      }
    }),
    { numRuns: 20_000 },
  );
  expect(read).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});
