import { expect, test } from "vitest";
import { FormatError } from "../../src/offline/format-error.js";
import { readNpy } from "../../src/offline/npy.js";
import type { Datatype } from "../../src/tensor/tensor.js";
import { elementAt } from "../../src/tensor/view.js";
import { floats, npy, npyWith, smallLimits } from "./files.js";

function elements(file: Buffer): { datatype: Datatype; shape: readonly number[]; values: unknown[] } {
  const tensor = { name: "", ...readNpy(file, smallLimits) };
  const count = tensor.shape.reduce((product, dimension) => product * dimension, 1);
  const values = Array.from({ length: count }, (_, index) => elementAt(tensor, index));
  return { datatype: tensor.datatype, shape: tensor.shape, values };
}

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

test.each<[descr: string, hex: string, datatype: Datatype, values: unknown[]]>([
  ["|b1", "01 00", "BOOL", [true, false]],
  ["|u1", "00 ff", "UINT8", [0, 255]],
  ["<u2", "01 00 ff ff", "UINT16", [1, 65_535]],
  [">u2", "00 01 ff ff", "UINT16", [1, 65_535]],
  ["<u4", "01 00 00 00 ff ff ff ff", "UINT32", [1, 4_294_967_295]],
  [">u4", "00 00 00 01 ff ff ff ff", "UINT32", [1, 4_294_967_295]],
  ["<u8", "01 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff", "UINT64", ["1", "18446744073709551615"]],
  [">u8", "00 00 00 00 00 00 00 01 ff ff ff ff ff ff ff ff", "UINT64", ["1", "18446744073709551615"]],
  ["|i1", "80 7f", "INT8", [-128, 127]],
  ["<i2", "00 80 ff 7f", "INT16", [-32_768, 32_767]],
  [">i2", "80 00 7f ff", "INT16", [-32_768, 32_767]],
  ["<i4", "00 00 00 80 01 00 00 00", "INT32", [-2_147_483_648, 1]],
  [">i4", "80 00 00 00 00 00 00 01", "INT32", [-2_147_483_648, 1]],
  ["<i8", "00 00 00 00 00 00 00 80 01 00 00 00 00 00 00 00", "INT64", ["-9223372036854775808", "1"]],
  [">i8", "80 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01", "INT64", ["-9223372036854775808", "1"]],
  ["<f2", "00 3c 00 fc", "FP16", [1, "-Infinity"]],
  [">f2", "3c 00 fc 00", "FP16", [1, "-Infinity"]],
  ["<f4", "00 00 80 3f 00 00 c0 7f", "FP32", [1, "NaN"]],
  [">f4", "3f 80 00 00 7f c0 00 00", "FP32", [1, "NaN"]],
  ["=f4", "00 00 80 3f 00 00 00 80", "FP32", [1, "-0"]],
  ["<f8", "00 00 00 00 00 00 f0 3f 00 00 00 00 00 00 00 c0", "FP64", [1, -2]],
  [">f8", "3f f0 00 00 00 00 00 00 c0 00 00 00 00 00 00 00", "FP64", [1, -2]],
  ["|S3", "61 62 63 61 00 00", "BYTES", ["abc", "a"]],
  ["|S2", "00 61 00 00", "BYTES", ["\0a", ""]],
  ["<U2", "e9 00 00 00 00 f6 01 00 41 00 00 00 00 00 00 00", "BYTES", ["é😀", "A"]],
  [">U2", "00 00 00 e9 00 01 f6 00 00 00 00 41 00 00 00 00", "BYTES", ["é😀", "A"]],
  ["<U1", "00 01 00 00 ff ff 00 00", "BYTES", ["Ā", "\uffff"]],
])("dtype %s of %s", (descr, hex, datatype, values) => {
  expect(elements(npy(descr, [2], bytes(hex)))).toEqual({ datatype, shape: [2], values });
});

test.each<[shape: number[], fortran: number[], rows: number[]]>([
  [[], [7], [7]],
  [[3], [1, 2, 3], [1, 2, 3]],
  [
    [2, 3],
    [1, 4, 2, 5, 3, 6],
    [1, 2, 3, 4, 5, 6],
  ],
  [
    [1, 3],
    [1, 2, 3],
    [1, 2, 3],
  ],
  [
    [2, 2, 2],
    [1, 5, 3, 7, 2, 6, 4, 8],
    [1, 2, 3, 4, 5, 6, 7, 8],
  ],
  [[2, 0, 3], [], []],
])("Fortran order of shape %j", (shape, fortran, rows) => {
  const file = npy("<f4", shape, floats(...fortran), { fortranOrder: true });
  expect(elements(file)).toEqual({ datatype: "FP32", shape, values: rows });
  expect(elements(npy("<f4", shape, floats(...rows))).values).toEqual(rows);
});

test("Fortran order of strings, big-endian", () => {
  const text = Buffer.from("a\0\0\0b\0\0\0c\0\0\0d\0\0\0").swap32();
  expect(elements(npy(">U1", [2, 2], text, { fortranOrder: true })).values).toEqual(["a", "c", "b", "d"]);
});

test.each([
  ["version 2", npy("<f4", [2], floats(1, 2), { version: [2, 0] })],
  ["version 3", npy("<f4", [2], floats(1, 2), { version: [3, 0] })],
  [
    "Python 2's long integers",
    npyWith("{'shape': (2L,), 'fortran_order': False, 'descr': '<f4'}", floats(1, 2)),
  ],
  [
    "other quotes and spaces",
    npyWith(`{ "descr" :"<f4","fortran_order":False,"shape":( 2 , ) }  \n`, floats(1, 2)),
  ],
])("header: %s", (_, file) => {
  expect(elements(file)).toEqual({ datatype: "FP32", shape: [2], values: [1, 2] });
});

const header = (fields: string) => npyWith(`{${fields}}`, floats(1));

test.each<[what: string, file: Buffer, message: RegExp]>([
  [
    "complex numbers",
    npy("<c8", [1], bytes("0000000000000000")),
    /dtype "<c8"; what can be compared is bool,/,
  ],
  ["long double", npy("<f16", [0], floats()), /dtype "<f16"/],
  ["a date", npy("<M8[D]", [0], floats()), /dtype "<M8\[D\]"/],
  ["void, as bfloat16 is saved", npy("|V2", [0], floats()), /bfloat16, save it as float32/],
  ["pickled objects", npy("|O", [1], floats(1)), /pickled Python objects, which are never loaded/],
  ["a hostile dtype", npy("<\x1b[31m", [1], floats(1)), /dtype "<\\u001b\[31m"/],
  ["an empty dtype", npy("", [1], floats(1)), /dtype ""/],
  [
    "a structured array",
    npyWith("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
    /structured/,
  ],
  ["version 4", npy("<f4", [1], floats(1), { version: [4, 0] }), /version 4\.0; 1\.0, 2\.0 and 3\.0/],
  ["no header", Buffer.from("\x93NUMPY", "latin1"), /version/],
  ["half a version", Buffer.from("\x93NUMPY\x01\x00\x01", "latin1"), /ends within/],
  ["a header that is cut", npy("<f4", [1], floats(1)).subarray(0, 40), /ends within/],
  ["a header too long", npyWith(" ".repeat(65_536), floats(1), [2, 0]), /header of 65536 bytes/],
  ["not a dict", npyWith("('descr',)"), /not a Python dict/],
  ["not a literal", npyWith("__import__('os')"), /not a Python literal/],
  ["an unclosed literal", npyWith("{'descr': '<f4'"), /not a Python literal/],
  [
    "a number for a dtype",
    header("'descr': 4, 'fortran_order': False, 'shape': (1,)"),
    /"descr" must be a string/,
  ],
  [
    "no order",
    header("'descr': '<f4', 'shape': (1,)"),
    /"fortran_order" must be True or False, found nothing/,
  ],
  ["no shape", header("'descr': '<f4', 'fortran_order': False"), /"shape" must be/],
  ["a negative dimension", npy("<f4", [-1], floats(1)), /not a Python literal/],
  ["a dimension beyond 2^53", npy("<f4", [2 ** 60], floats(1)), /"shape" must be/],
  ["65 dimensions", npy("<f4", new Array(65).fill(1), floats(1)), /"shape" must be up to 64/],
  ["a shape that overflows", npy("<f4", [2 ** 40, 2 ** 40], floats(1)), /found 4/],
  [
    "data that is cut",
    npy("<f4", [2], floats(1)),
    /must have 8 bytes of data for dtype <f4 of shape \[2\], found 4/,
  ],
  ["data that goes on", npy("<f4", [1], floats(1, 2)), /must have 4 bytes of data .* found 8/],
  ["half a surrogate pair", npy("<U1", [1], bytes("00d80000")), /not Unicode: 0xd800 in element 0/],
  ["beyond Unicode", npy("<U1", [2], bytes("4100000000001100")), /not Unicode: 0x110000 in element 1/],
  ["too many strings", npy("|S0", [101], floats()), /101 strings in one array; 100 at most/],
  ["endless strings of nothing", npy("|U0", [2 ** 52], floats()), /strings in one array; 100 at most/],
])("refused: %s", (_, file, message) => {
  expect(() => readNpy(file, smallLimits)).toThrow(FormatError);
  expect(() => readNpy(file, smallLimits)).toThrow(message);
});
