import { describe, expect, test } from "vitest";
import { ProtocolError } from "../../src/protocol/error.js";
import { decodeInferRequest, decodeInferResponse } from "../../src/protocol/infer.js";

function errorOf(run: () => unknown): ProtocolError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return error as ProtocolError;
  }
  throw new Error("nothing was thrown");
}

function inputs(...tensors: string[]): string {
  return `{"inputs":[${tensors.join(",")}]}`;
}

/** A tensor in JSON; `rest` is its data or its parameters. */
function tensor(datatype: string, shape: string, rest: string, name = "x"): string {
  return `{"name":"${name}","datatype":"${datatype}","shape":${shape},${rest}}`;
}

const size = (bytes: string | number): string => `"parameters":{"binary_data_size":${bytes}}`;

describe("JSON", () => {
  test.each([
    ["", "not JSON: expected a value"],
    ["[]", "the request must be a JSON object, found an array of 0"],
    ["null", "the request must be a JSON object, found null"],
    ["{}", '"inputs" must be an array, found nothing'],
    ['{"inputs":{}}', '"inputs" must be an array, found an object'],
    ['{"inputs":[],"id":7}', 'the request: "id" must be a string, found 7'],
    ['{"inputs":[],"parameters":[]}', 'the request: "parameters" must be an object, found an array of 0'],
    ['{"inputs":[],"outputs":{}}', '"outputs" must be an array'],
    ['{"inputs":[],"outputs":[{}]}', "requested output 0 must be an object with a name"],
    ['{"inputs":[],"outputs":["y"]}', "requested output 0 must be an object with a name"],
    [inputs("5"), "input 0 must be an object, found 5"],
    [inputs("{}"), 'input 0: "name" must not be empty or missing'],
    [inputs('{"name":""}'), 'input 0: "name" must not be empty or missing'],
    [inputs('{"name":5}'), 'input 0: "name" must be a string, found 5'],
    [inputs(tensor("FP31", "[1]", '"data":[1]')), '"datatype" must be one of V2\'s, found "FP31"'],
    [inputs(tensor("FP32", "1", '"data":[1]')), 'input "x": "shape" must be an array, found 1'],
    [inputs(tensor("FP32", "[-1]", '"data":[1]')), "whole numbers from 0 to 2^53, found -1"],
    [inputs(tensor("FP32", "[1.5]", '"data":[1]')), "whole numbers from 0 to 2^53, found 1.5"],
    [inputs(tensor("FP32", "[NaN]", '"data":[1]')), "whole numbers from 0 to 2^53, found NaN"],
    [inputs(tensor("FP32", '["1"]', '"data":[1]')), 'whole numbers from 0 to 2^53, found "1"'],
    [inputs(tensor("FP32", "[9007199254740993]", '"data":[1]')), "found 9007199254740993"],
    [inputs(tensor("FP32", "[94906267,94906267]", '"data":[1]')), "shape has more than 2^53 elements"],
    [inputs(tensor("FP32", `[${Array(64).fill(2 ** 52)}]`, '"data":[1]')), "shape has more than 2^53"],
    [inputs(tensor("FP32", `[${Array(65).fill(1)}]`, '"data":[1]')), "has 65 dimensions"],
    [
      inputs(tensor("FP32", "[9007199254740991]", '"data":[1]')),
      "has 9007199254740991 elements, but data has 1",
    ],
    [inputs(tensor("FP32", "[2]", '"data":[1]')), 'input "x": shape [2] has 2 elements, but data has 1'],
    [inputs(tensor("FP32", "[2]", '"data":[1,2,3]')), "shape [2] has 2 elements, but data has 3"],
    [inputs(tensor("FP32", "[]", '"data":[]')), "shape [] has 1 elements, but data has 0"],
    [inputs(tensor("FP32", "[2]", '"data":5')), "2 elements along axis 0, found 5"],
    [
      inputs(tensor("FP32", "[3,2]", '"data":[[1,2,3],[4,5,6]]')),
      "3 elements along axis 0, found an array of 2",
    ],
    [
      inputs(tensor("FP32", "[2,2]", '"data":[[1,2],[3,4,5]]')),
      "2 elements along axis 1, found an array of 3",
    ],
    [inputs(tensor("FP32", "[2,2]", '"data":[[1,2],3]')), "2 elements along axis 1, found 3"],
    [
      inputs(tensor("FP32", "[2,2]", '"data":[1,2,3,[4]]')),
      "element 3 must be a number within FP32, found an array of 1",
    ],
    [inputs(tensor("FP32", "[1]", '"x":1')), 'input "x": has neither "data" nor "binary_data_size"'],
    [inputs(tensor("FP32", "[1]", '"data":null')), 'has neither "data" nor "binary_data_size"'],
    [
      inputs(tensor("FP32", "[1]", '"data":[1],"parameters":3')),
      'input "x": "parameters" must be an object, found 3',
    ],
    [inputs(tensor("FP32", "[1]", `"data":[1],${size(4)}`)), 'has both "data" and "binary_data_size"'],
    [inputs(tensor("FP32", "[1]", size(4))), "has no Inference-Header-Content-Length"],
    [
      inputs(tensor("FP32", "[1]", '"data":[1]'), tensor("FP32", "[1]", '"data":[1]')),
      'input "x": there are two of this name',
    ],
    [
      inputs(tensor("FP32", "[1]", '"data":[1],"parameters":{"shared_memory_region":"r"}')),
      'has both "data" and a shared-memory region',
    ],
  ])("%s", (body, message) => {
    expect(errorOf(() => decodeInferRequest(Buffer.from(body), null)).message).toContain(message);
  });
});

test.each([
  ["BOOL", "2", "true or false, found 2"],
  ["BOOL", '"true"', 'true or false, found "true"'],
  ["UINT8", "256", "an integer within UINT8, found 256"],
  ["UINT8", "-1", "an integer within UINT8, found -1"],
  ["INT8", "128", "an integer within INT8, found 128"],
  ["INT16", "1.5", "an integer within INT16, found 1.5"],
  ["INT32", "NaN", "an integer within INT32, found NaN"],
  ["INT32", "2147483648", "found 2147483648"],
  ["UINT32", "true", "found true"],
  ["UINT32", "18446744073709551616", "found 18446744073709551616"],
  ["INT64", "9223372036854775808", "an integer within INT64, found 9223372036854775808"],
  ["INT64", "1e18", "found 1000000000000000000"],
  ["INT64", '"5"', 'found "5"'],
  ["UINT64", "-1", "an integer within UINT64, found -1"],
  ["UINT64", "Infinity", "found Infinity"],
  ["FP32", "null", "a number within FP32, found null"],
  ["FP32", '"1"', 'found "1"'],
  ["FP32", "1e39", "a number within FP32, found 1e+39"],
  ["FP16", "65520", "a number within FP16, found 65520"],
  ["BF16", "3.4e38", "a number within BF16, found 3.4e+38"],
  ["BYTES", "5", "a string of Unicode text, found 5"],
  ["BYTES", '"\\ud800"', "a string of Unicode text"],
])("%s cannot be %s", (datatype, element, message) => {
  const body = Buffer.from(inputs(tensor(datatype, "[1]", `"data":[${element}]`)));
  const error = errorOf(() => decodeInferRequest(body, null));
  expect(error.message).toContain('input "x": element 0 must be ');
  expect(error.message).toContain(message);
});

describe("binary", () => {
  const u32 = (value: number): number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

  test.each<[string, number[], string]>([
    [inputs(tensor("FP32", "[1]", size(8))), [1, 2, 3, 4], '"binary_data_size" is 8, but 4 bytes are left'],
    [inputs(tensor("FP32", "[1]", size(9007199254740991))), [1], "is 9007199254740991, but 1 bytes are left"],
    [
      inputs(tensor("FP32", "[1]", size("18446744073709551615"))),
      [1],
      "must be a length in bytes, found 184467",
    ],
    [inputs(tensor("FP32", "[1]", size(-4))), [1, 2, 3, 4], "must be a length in bytes, found -4"],
    [inputs(tensor("FP32", "[1]", size(1.5))), [1], "must be a length in bytes, found 1.5"],
    [inputs(tensor("FP32", "[1]", size('"4"'))), [1], 'must be a length in bytes, found "4"'],
    [inputs(tensor("FP32", "[2]", size(4))), [1, 2, 3, 4], 'has 8 bytes, but "binary_data_size" is 4'],
    [inputs(tensor("FP32", "[4503599627370496]", size(4))), [1, 2, 3, 4], "has 18014398509481984 bytes"],
    [inputs(tensor("FP32", "[0]", size(4))), [1, 2, 3, 4], 'has 0 bytes, but "binary_data_size" is 4'],
    [inputs(tensor("UINT8", "[1]", size(1))), [1, 2], "1 bytes are left over behind the last binary input"],
    [inputs(tensor("UINT8", "[1]", '"data":[1]')), [0], "1 bytes are left over"],
    [inputs(), [0], "1 bytes are left over"],
    [
      inputs(tensor("UINT8", "[3]", size(3), "a"), tensor("UINT8", "[2]", size(2), "b")),
      [1, 2, 3, 4],
      'input "b": "binary_data_size" is 2, but 1 bytes are left',
    ],
    [inputs(tensor("BYTES", "[1]", size(3))), [0, 0, 0], "the length of element 0 is cut off"],
    [inputs(tensor("BYTES", "[1]", size(5))), [...u32(2), 7], "element 0 claims 2 bytes of 1"],
    [
      inputs(tensor("BYTES", "[1]", size(5))),
      [...u32(0xffffffff), 7],
      "element 0 claims 4294967295 bytes of 1",
    ],
    // The bytes are there, but belong to the next tensor.
    [
      inputs(tensor("BYTES", "[1]", size(5), "a"), tensor("UINT8", "[9]", size(9), "b")),
      [...u32(9), 7, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      'input "a": element 0 claims 9 bytes of 1',
    ],
    [inputs(tensor("BYTES", "[2]", size(5))), [...u32(1), 7], "the shape has 2 elements, but BYTES hold 1"],
    [inputs(tensor("BYTES", "[0]", size(4))), u32(0), "the shape has 0 elements, but BYTES hold 1"],
    [
      inputs(tensor("BYTES", "[9007199254740991]", size(4))),
      u32(0),
      "9007199254740991 elements, but BYTES hold 1",
    ],
  ])("%s %j", (json, binary, message) => {
    const head = Buffer.from(json);
    const body = Buffer.concat([head, Buffer.from(binary)]);
    expect(errorOf(() => decodeInferRequest(body, head.length)).message).toContain(message);
  });

  test.each([-1, 3, 1.5, NaN, Infinity])("a header length of %d for two bytes", (headerLength) => {
    expect(errorOf(() => decodeInferRequest(Buffer.from("{}"), headerLength)).message).toContain(
      "has 2 bytes",
    );
  });
});

test.each([
  ['{"error":"no such model"}', null, '"outputs" must be an array, found nothing'],
  ['{"model_version":1,"outputs":[]}', null, '"model_version" must be a string, found 1'],
  ["{}", 0, "not JSON: expected a value at character 0, found the end"],
  [
    `{"outputs":[${tensor("FP32", "[1]", '"parameters":{"shared_memory_region":"r"}')}]}`,
    null,
    'output "x": its data is in shared memory',
  ],
  ["<html>", null, 'expected a value at character 0, found "<"'],
])("response %s", (body, headerLength, message) => {
  expect(errorOf(() => decodeInferResponse(Buffer.from(body), headerLength)).message).toContain(message);
});

test("messages and excerpts are short printable ASCII, whatever the name", () => {
  const name = `\\u0000\\u202e<script>${"n".repeat(1000)}`;
  const body = Buffer.from(inputs(tensor("FP32", "[1]", `"data":["${name}"]`, name)));
  const error = errorOf(() => decodeInferRequest(body, null));
  expect(error.message).toMatch(/^[\x20-\x7e]{20,300}$/);
  const garbled = errorOf(() => decodeInferRequest(Buffer.from(`\u0000\u202e${"z".repeat(1000)}`), null));
  expect(garbled.excerpt).toMatch(/^[\x20-\x7e]{1,80}$/);
});
