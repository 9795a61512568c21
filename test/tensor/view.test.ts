import { expect, test } from "vitest";
import type { Datatype, Tensor } from "../../src/tensor/tensor.js";
import { bytesElements, bytesReader, elementAt, multiIndex, typedView } from "../../src/tensor/view.js";

function tensor(datatype: Datatype, hex: string, offset = 0): Tensor {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const padded = new Uint8Array(offset + bytes.length);
  padded.set(bytes, offset);
  return { name: "t", datatype, shape: [], data: padded.subarray(offset) };
}

const rows: [Datatype, string, unknown[], ArrayLike<number | bigint>][] = [
  ["BOOL", "00 01", [false, true], Uint8Array.of(0, 1)],
  ["UINT8", "00 ff", [0, 255], Uint8Array.of(0, 255)],
  ["INT8", "80 7f", [-128, 127], Int8Array.of(-128, 127)],
  ["UINT16", "0100 ffff", [1, 65535], Uint16Array.of(1, 65535)],
  ["INT16", "0080 ff7f", [-32768, 32767], Int16Array.of(-32768, 32767)],
  ["UINT32", "01000000 ffffffff", [1, 4294967295], Uint32Array.of(1, 4294967295)],
  ["INT32", "00000080 ffffff7f", [-2147483648, 2147483647], Int32Array.of(-2147483648, 2147483647)],
  ["UINT64", "ffffffffffffffff", ["18446744073709551615"], BigUint64Array.of(2n ** 64n - 1n)],
  ["INT64", "0000000000000080", ["-9223372036854775808"], BigInt64Array.of(-(2n ** 63n))],
  [
    "FP16",
    "003c 0080 007c 007e",
    [1, "-0", "Infinity", "NaN"],
    Uint16Array.of(0x3c00, 0x8000, 0x7c00, 0x7e00),
  ],
  ["BF16", "803f c07f", [1, "NaN"], Uint16Array.of(0x3f80, 0x7fc0)],
  ["FP32", "0000c03f 00000080 000080ff", [1.5, "-0", "-Infinity"], Float32Array.of(1.5, -0, -Infinity)],
  ["FP64", "9a9999999999b93f 000000000000f87f", [0.1, "NaN"], Float64Array.of(0.1, NaN)],
];

test.each(rows)("%s elements of %s", (datatype, hex, shown, view) => {
  for (const offset of [0, 1, 3, 8]) {
    const subject = tensor(datatype, hex, offset);
    expect(shown.map((_, index) => elementAt(subject, index))).toEqual(shown);
    expect(typedView(subject)).toEqual(view);
  }
});

test("a view shares the tensor's memory where it can", () => {
  expect(typedView(tensor("FP32", "0000c03f", 8)).byteOffset).toBe(8);
  expect(typedView(tensor("FP32", "0000c03f", 6)).byteOffset).toBe(0);
});

test("BYTES: elements, and how they are shown", () => {
  const subject = tensor("BYTES", "02000000 c3a4 00000000 01000000 ff", 3);
  expect(bytesElements(subject)).toEqual([Uint8Array.of(0xc3, 0xa4), Uint8Array.of(), Uint8Array.of(0xff)]);
  expect([2, 0, 1].map(bytesReader({ ...subject, shape: [3] }))).toEqual([
    Uint8Array.of(0xff),
    Uint8Array.of(0xc3, 0xa4),
    Uint8Array.of(),
  ]);
  expect([0, 1, 2].map((index) => elementAt(subject, index))).toEqual(["ä", "", "base64:/w=="]);
});

test.each([
  [0, [], []],
  [5, [6], [5]],
  [23, [2, 3, 4], [1, 2, 3]],
  [4, [2, 3], [1, 1]],
  [2 ** 33, [2 ** 20, 2 ** 20], [2 ** 13, 0]],
])("index %d in %j: %j", (flat, shape, index) => expect(multiIndex(flat, shape)).toEqual(index));
