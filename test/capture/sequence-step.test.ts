import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { sequenceStepOf } from "../../src/capture/sequence-step.js";

const body = (more = "") =>
  `{"parameters":{"sequence_id":7,"sequence_start":true},${more}"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}`;
const shared =
  '{"parameters":{"sequence_id":7},"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"shared_memory_region":"r","shared_memory_byte_size":4}}]}';
const step = { id: "7", start: true, end: false };

test.each<[string, string | Uint8Array, string[], unknown]>([
  ["a step", body(), [], step],
  ["one in gzip", gzipSync(body()), ["Content-Encoding", "gzip"], step],
  ["of no sequence", "{}", [], null],
  ["a coding that is not known", body(), ["content-encoding", "zstd"], "hidden"],
  [
    "codings that repeat",
    gzipSync(body()),
    ["content-encoding", "gzip", "content-encoding", "gzip"],
    "hidden",
  ],
  ["duplicate keys", body('"inputs":[],'), [], "hidden"],
  ["in shared memory", shared, [], "hidden"],
])("%s", (_, given, headers, expected) => {
  const requestHeaderText = headers.join("\n");
  const record = { path: "/v2/models/m/infer", requestHeaderText, requestBody: Buffer.from(given) };
  expect(sequenceStepOf(record, 1e6)).toEqual(expected);
});
