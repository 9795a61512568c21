import { expect, test } from "vitest";
import { readV2Response } from "../../src/offline/v2-response.js";
import { encodeInferResponse, type InferResponse } from "../../src/protocol/infer.js";
import { floats, smallLimits } from "./files.js";

const response: InferResponse = {
  modelName: 'm"}]\\',
  modelVersion: "1",
  parameters: {},
  outputs: [
    { name: "a", datatype: "FP32", shape: [2], parameters: {}, data: new Uint8Array(floats(1, 2)) },
    {
      name: "blank",
      datatype: "UINT8",
      shape: [4],
      parameters: {},
      data: new Uint8Array(Buffer.from(" \n\t}")),
    },
  ],
};

const json = encodeInferResponse(response, { binary: () => false }).body;
const binary = encodeInferResponse(response, { binary: () => true });
const mixed = encodeInferResponse(response, { binary: (name) => name === "a" }).body;
const blanks = encodeInferResponse(
  { ...response, outputs: [{ ...response.outputs[1]!, data: new Uint8Array(4).fill(0x20) }] },
  { binary: () => true },
).body;
const head = binary.body.subarray(0, binary.headerLength!);
const tail = binary.body.subarray(binary.headerLength!);
const empty = Buffer.from(
  '{"outputs":[{"name":"e","datatype":"FP32","shape":[0],"parameters":{"binary_data_size":0}}]}',
);
const mention = Buffer.from(
  '{"outputs":[{"name":"e","datatype":"BYTES","shape":[1],"data":["binary_data_size"]}]}',
);

test.each<[what: string, file: Buffer, headerLength: number | null, names: string[]]>([
  ["JSON", json, null, ["a", "blank"]],
  ["JSON and a line's end", Buffer.concat([json, Buffer.from("\n")]), null, ["a", "blank"]],
  ["binary", binary.body, null, ["a", "blank"]],
  ["binary, its length told", binary.body, binary.headerLength, ["a", "blank"]],
  ["binary and JSON", mixed, null, ["a", "blank"]],
  ["binary, the head padded", Buffer.concat([head, Buffer.from("  \n"), tail]), null, ["a", "blank"]],
  ["binary that looks like white space", blanks, null, ["blank"]],
  ["binary without bytes", empty, null, ["e"]],
  ["JSON that speaks of binary", mention, null, ["e"]],
])("%s", (_, file, headerLength, names) => {
  const read = readV2Response(file, headerLength, smallLimits);
  expect(read.outputs.map(({ name }) => name)).toEqual(names);
  for (const output of read.outputs) {
    const expected = response.outputs.find(({ name }) => name === output.name);
    if (expected && file !== blanks) expect(Buffer.from(output.data)).toEqual(Buffer.from(expected.data));
  }
});

const strings = `{"outputs":[{"name":"s","datatype":"BYTES","shape":[101],"data":[${'"",'.repeat(100)}""]}]}`;

test.each<[what: string, file: Buffer, headerLength: number | null, message: RegExp]>([
  ["an error", Buffer.from('{"error":"no such model"}'), null, /"outputs" must be an array, found nothing/],
  ["binary that is cut", binary.body.subarray(0, -1), null, /"binary_data_size" is 4, but 3 bytes are left/],
  ["binary that goes on", Buffer.concat([binary.body, tail]), null, /12 bytes are left over/],
  ["JSON that is cut", json.subarray(0, -1), null, /not JSON/],
  ["JSON and something behind it", Buffer.concat([json, Buffer.from("x")]), null, /not JSON/],
  ["a length that is wrong", binary.body, binary.headerLength! - 1, /not JSON/],
  ["a length beyond the file", json, 1000, /its JSON cannot have 1000/],
  ["a length of nothing", json, 0, /not JSON/],
  ["long JSON", Buffer.from(`{"x":"${"a".repeat(2000)}"}`), null, /JSON of more than 1024 bytes/],
  ["long JSON, its length told", Buffer.alloc(3000), 2000, /JSON of more than 1024 bytes/],
  ["JSON without an end", Buffer.from(`{"x":"${"\\".repeat(2001)}`), null, /JSON of more than 1024 bytes/],
  ["much behind JSON", Buffer.concat([json, Buffer.alloc(3000)]), null, /JSON of more than 1024 bytes/],
  [
    "sizes that are lies",
    Buffer.from(
      '{"outputs":[{"parameters":{"binary_data_size":-1e308}},{"parameters":{"binary_data_size":1e308}}]}',
    ),
    null,
    /name/,
  ],
  ["too many strings", Buffer.from(strings), null, /101 strings in one array; 100 at most/],
])("refused: %s", (_, file, headerLength, message) => {
  expect(() => readV2Response(file, headerLength, smallLimits)).toThrow(message);
});
