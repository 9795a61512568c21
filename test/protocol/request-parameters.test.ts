import { expect, test } from "vitest";
import { decodeInferRequest } from "../../src/protocol/infer.js";
import { sequenceId, usesSharedMemory, wantsBinary } from "../../src/protocol/request-parameters.js";

function request(json: string) {
  return decodeInferRequest(Buffer.from(json), null);
}

const region = '{"shared_memory_region":"r","shared_memory_byte_size":8}';

test.each([
  ['{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}],"outputs":[{"name":"y"}]}', false],
  [`{"inputs":[{"name":"x","datatype":"FP32","shape":[2],"parameters":${region}}]}`, true],
  [`{"inputs":[],"outputs":[{"name":"y","parameters":${region}}]}`, true],
])("%s uses shared memory: %s", (json, expected) => {
  expect(usesSharedMemory(request(json))).toBe(expected);
});

test.each([
  ["{}", null],
  ['{"sequence_id":0}', null],
  ['{"sequence_id":""}', null],
  ['{"sequence_id":false}', null],
  ['{"sequence_id":42,"sequence_start":true}', "42"],
  ['{"sequence_id":18446744073709551615}', "18446744073709551615"],
  ['{"sequence_id":"session-7"}', "session-7"],
])("the sequence of %s is %j", (parameters, expected) => {
  expect(sequenceId(request(`{"inputs":[],"parameters":${parameters}}`))).toBe(expected);
});

test.each([
  ["{}", "[]", false],
  ['{"binary_data_output":true}', "[]", true],
  ['{"binary_data_output":true}', '[{"name":"y","parameters":{"binary_data":false}}]', false],
  ["{}", '[{"name":"y","parameters":{"binary_data":true}}]', true],
  ["{}", '[{"name":"z","parameters":{"binary_data":true}}]', false],
])("parameters %s, outputs %s: y in binary is %s", (parameters, outputs, expected) => {
  const decoded = request(`{"inputs":[],"parameters":${parameters},"outputs":${outputs}}`);
  expect(wantsBinary(decoded, "y")).toBe(expected);
});
