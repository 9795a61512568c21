import { expect, test } from "vitest";
import { elementBytes, elementCount, isDatatype } from "../../src/tensor/dtype.js";
import { datatypes } from "../../src/tensor/tensor.js";

test("bytes of one element", () => {
  expect(datatypes.map((datatype) => [datatype, elementBytes(datatype)])).toEqual([
    ["BOOL", 1],
    ["UINT8", 1],
    ["UINT16", 2],
    ["UINT32", 4],
    ["UINT64", 8],
    ["INT8", 1],
    ["INT16", 2],
    ["INT32", 4],
    ["INT64", 8],
    ["FP16", 2],
    ["BF16", 2],
    ["FP32", 4],
    ["FP64", 8],
    ["BYTES", null],
  ]);
});

test.each([
  [[], 1],
  [[0], 0],
  [[2, 3, 4], 24],
  [[2 ** 40, 2 ** 40, 0], 0],
  [
    Array<number>(40)
      .fill(2 ** 52)
      .concat(0),
    0,
  ],
  [Array<number>(40).fill(2 ** 52), Infinity],
])("elements of %j: %d", (shape, count) => expect(elementCount(shape)).toBe(count));

test.each(["float32", "toString", "__proto__", "", 7, null])("%s is no datatype", (value) => {
  expect(isDatatype(value)).toBe(false);
});
