import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeInferRequest,
  decodeInferResponse,
  encodeInferRequest,
  encodeInferResponse,
} from "../../src/protocol/infer.js";
import type { Datatype } from "../../src/tensor/tensor.js";
import { elementAt } from "../../src/tensor/view.js";
import { anyRequest, anyResponse, bytesData } from "./messages.js";

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

/** A body of JSON and binary, and the length of its JSON. */
function framed(json: string, binary: Uint8Array): [Buffer, number] {
  const head = Buffer.from(json);
  return [Buffer.concat([head, binary]), head.length];
}

// datatype, data as JSON, data on the wire, elements as shown
const rows: [Datatype, string, string, unknown[]][] = [
  ["BOOL", "[true,false]", "01 00", [true, false]],
  ["UINT8", "[0,255]", "00 ff", [0, 255]],
  ["UINT16", "[1,65535]", "0100 ffff", [1, 65535]],
  ["UINT32", "[1,4294967295]", "01000000 ffffffff", [1, 4294967295]],
  ["UINT64", "[1,18446744073709551615]", "0100000000000000 ffffffffffffffff", ["1", "18446744073709551615"]],
  ["INT8", "[-128,127]", "80 7f", [-128, 127]],
  ["INT16", "[-32768,32767]", "0080 ff7f", [-32768, 32767]],
  ["INT32", "[-2147483648,2147483647]", "00000080 ffffff7f", [-2147483648, 2147483647]],
  [
    "INT64",
    "[-9223372036854775808,9007199254740993]",
    "0000000000000080 0100000000002000",
    ["-9223372036854775808", "9007199254740993"],
  ],
  ["FP32", "[NaN,-Infinity]", "0000c07f 000080ff", ["NaN", "-Infinity"]],
  ["FP32", "[-0,0.10000000149011612]", "00000080 cdcccc3d", ["-0", 0.10000000149011612]],
  ["FP64", "[0.1,Infinity]", "9a9999999999b93f 000000000000f07f", [0.1, "Infinity"]],
  [
    "FP64",
    "[5e-324,1.7976931348623157e+308]",
    "0100000000000000 ffffffffffffef7f",
    [5e-324, Number.MAX_VALUE],
  ],
  ["BYTES", '["ä",""]', "02000000c3a4 00000000", ["ä", ""]],
  ["BYTES", '["\\u0000","<b>"]', "0100000000 030000003c623e", ["\0", "<b>"]],
];

describe.each(rows)("%s %s", (datatype, json, wire, shown) => {
  const tensor = { name: "x", datatype, shape: [2], parameters: {}, data: hex(wire) };
  const response = { modelName: "m", modelVersion: "1", parameters: {}, outputs: [tensor] };
  const asJson = `{"model_name":"m","model_version":"1","outputs":[{"name":"x","datatype":"${datatype}","shape":[2],"data":${json}}]}`;
  const [asBinary, headerLength] = framed(
    `{"model_name":"m","model_version":"1","outputs":[{"name":"x","datatype":"${datatype}","shape":[2],"parameters":{"binary_data_size":${hex(wire).length}}}]}`,
    hex(wire),
  );

  test("JSON", () => {
    expect(decodeInferResponse(Buffer.from(asJson), null)).toEqual(response);
    expect(encodeInferResponse(response, { binary: () => false })).toEqual({
      body: Buffer.from(asJson),
      headerLength: null,
    });
  });

  test("binary", () => {
    expect(decodeInferResponse(asBinary, headerLength)).toEqual(response);
    expect(encodeInferResponse(response, { binary: () => true })).toEqual({ body: asBinary, headerLength });
  });

  test("elements", () => expect([0, 1].map((index) => elementAt(tensor, index))).toEqual(shown));
});

test.each<[Datatype, string]>([
  ["FP16", "003c 007e"],
  ["BF16", "803f c07f"],
  ["BYTES", "01000000ff 00000000"],
])("%s of %s has no JSON form and stays binary", (datatype, wire) => {
  const tensor = { name: "x", datatype, shape: [2], parameters: {}, data: hex(wire) };
  const request = { parameters: {}, inputs: [tensor], outputs: [] };
  const { body, headerLength } = encodeInferRequest(request, { binary: false });
  expect(headerLength).toBe(body.length - tensor.data.length);
  expect(decodeInferRequest(body, headerLength)).toEqual(request);
});

test.each<[string, Datatype, number[], string, unknown[]]>([
  ["nested", "INT8", [2, 2], "[[1,2],[3,4]]", [1, 2, 3, 4]],
  ["flat", "INT8", [2, 2], "[1,2,3,4]", [1, 2, 3, 4]],
  ["deeply nested", "INT8", [1, 1, 2, 1], "[[[[1],[2]]]]", [1, 2]],
  ["scalar in a list", "INT8", [], "[7]", [7]],
  ["bare scalar", "INT8", [], "7", [7]],
  ["empty", "FP32", [0], "[]", []],
  ["empty, nested", "FP32", [2, 0], "[[],[]]", []],
  ["empty, flat", "FP32", [2, 0, 3], "[]", []],
  ["strings, nested", "BYTES", [1, 2], '[["a","b"]]', ["a", "b"]],
  ["half floats, as some servers write them", "FP16", [2], "[1.5,NaN]", [1.5, "NaN"]],
  ["bfloat16, likewise", "BF16", [2], "[-0,Infinity]", ["-0", "Infinity"]],
  ["0 and 1 for BOOL", "BOOL", [2], "[0,1]", [false, true]],
  ["whole floats for integers", "INT32", [2], "[5.0,1e3]", [5, 1000]],
  ["integers for floats", "FP64", [2], "[3,18446744073709551615]", [3, 2 ** 64]],
])("data may be %s", (_what, datatype, shape, data, shown) => {
  const body = Buffer.from(
    `{"inputs":[{"name":"x","datatype":"${datatype}","shape":${JSON.stringify(shape)},"data":${data}}]}`,
  );
  const [tensor] = decodeInferRequest(body, null).inputs;
  expect(tensor!.shape).toEqual(shape);
  expect(shown.map((_, index) => elementAt(tensor!, index))).toEqual(shown);
});

test("JSON and binary tensors mix, and only the latter take bytes of the body", () => {
  const [body, headerLength] = framed(
    `{"id":"7","inputs":[
      {"name":"a","datatype":"UINT8","shape":[2],"parameters":{"binary_data_size":2}},
      {"name":"b","datatype":"UINT8","shape":[1],"data":[9]},
      {"name":"c","datatype":"UINT8","shape":[0],"parameters":{"binary_data_size":0}},
      {"name":"d","datatype":"UINT16","shape":[1],"parameters":{"binary_data_size":2,"keep":true}}],
     "outputs":[{"name":"y","parameters":{"binary_data":true}}]}`,
    hex("0102 0300"),
  );
  const request = decodeInferRequest(body, headerLength);
  expect(request.inputs.map(({ data }) => [...data])).toEqual([[1, 2], [9], [], [3, 0]]);
  expect(request.inputs[3]!.parameters).toEqual({ keep: true });
  expect(request.outputs).toEqual([{ name: "y", parameters: { binary_data: true } }]);
  expect(request.id).toBe("7");
  expect(request.inputs[0]!.data.buffer).toBe(body.buffer);
  expect(request.inputs[3]!.data.byteOffset).toBe(body.byteOffset + headerLength + 2);
});

test("null stands for an absent field", () => {
  const body = Buffer.from(
    `{"model_name":"m","model_version":null,"id":null,"parameters":null,
      "outputs":[{"name":"y","datatype":"INT32","shape":[1],"parameters":null,"data":[1]}]}`,
  );
  expect(decodeInferResponse(body, null)).toEqual({
    modelName: "m",
    modelVersion: "",
    parameters: {},
    outputs: [{ name: "y", datatype: "INT32", shape: [1], parameters: {}, data: hex("01000000") }],
  });
});

test("a header length of 0: the body is the single raw input", () => {
  const body = Buffer.from([1, 2, 3]);
  const request = decodeInferRequest(body, 0);
  expect(request.inputs).toEqual([
    { name: "", datatype: "UINT8", shape: [3], parameters: {}, data: Uint8Array.of(1, 2, 3) },
  ]);
  expect(encodeInferRequest(request, { binary: true })).toEqual({ body, headerLength: 0 });
});

describe("properties", () => {
  const binary = fc.boolean();

  test("a request is read back as it was written", () => {
    fc.assert(
      fc.property(anyRequest, binary, (request, asBinary) => {
        const { body, headerLength } = encodeInferRequest(request, { binary: asBinary });
        expect(decodeInferRequest(body, headerLength)).toEqual(request);
      }),
      { numRuns: 300 },
    );
  });

  test("a response is read back as it was written, whatever each output's form", () => {
    fc.assert(
      fc.property(anyResponse, fc.func(binary), (response, asBinary) => {
        const { body, headerLength } = encodeInferResponse(response, { binary: asBinary });
        expect(decodeInferResponse(body, headerLength)).toEqual(response);
      }),
      { numRuns: 300 },
    );
  });

  test("nested data is read as flat data", () => {
    const shape = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 5 });
    fc.assert(
      fc.property(shape, (dimensions) => {
        let next = 0;
        const nest = (axis: number): unknown =>
          axis === dimensions.length
            ? next++
            : Array.from({ length: dimensions[axis]! }, () => nest(axis + 1));
        const nested = nest(0);
        const read = (data: unknown) =>
          decodeInferRequest(
            Buffer.from(
              JSON.stringify({ inputs: [{ name: "x", datatype: "INT16", shape: dimensions, data }] }),
            ),
            null,
          );
        expect(read(nested)).toEqual(read(Array.from({ length: next }, (_, index) => index)));
      }),
    );
  });
});

test("bytes on the wire have their length in front", () => {
  expect(bytesData([Uint8Array.of(7)])).toEqual(hex("01000000 07"));
});
