import { describe, expect, test } from "vitest";
import { decodeAnswer, decodeCall } from "../../src/protocol/answer.js";
import { ProtocolError } from "../../src/protocol/error.js";
import { eventsOf } from "../../src/protocol/event-stream.js";
import { sequenceId } from "../../src/protocol/request-parameters.js";
import { elementCount } from "../../src/tensor/dtype.js";
import { elementAt } from "../../src/tensor/view.js";

/** Each output as `DATATYPE [shape] values`. */
function outputsOf(call: "generate" | "predict" | "generate_stream", body: string) {
  const { outputs } = decodeAnswer(call, Buffer.from(body), null);
  return Object.fromEntries(
    outputs.map((output) => {
      const { name, datatype, shape } = output;
      const values = Array.from({ length: elementCount(shape) }, (_, index) => elementAt(output, index));
      return [name, `${datatype} [${shape}] ${JSON.stringify(values)}`];
    }),
  );
}

describe("fields of a JSON answer become outputs", () => {
  test.each([
    ['{"text_output":"hello","model_name":"m","model_version":"1"}', { text_output: 'BYTES [] ["hello"]' }],
    ['{"predictions":[[0.25,0.75],[1,-0]]}', { predictions: 'FP64 [2,2] [0.25,0.75,1,"-0"]' }],
    ['{"predictions":[true,false]}', { predictions: "BOOL [2] [true,false]" }],
    [
      '{"predictions":[{"p":[1,2],"label":"a"},{"label":"b","p":[3,4]}]}',
      { "predictions.p": "FP64 [2,2] [1,2,3,4]", "predictions.label": 'BYTES [2] ["a","b"]' },
    ],
    ['{"outputs":{"a":[1],"b":{"c":2}}}', { "outputs.a": "FP64 [1] [1]", "outputs.b.c": "FP64 [] [2]" }],
    ['{"predictions":[[1],[2,3]]}', { predictions: 'BYTES [1] ["[[1],[2,3]]"]' }],
    ['{"predictions":[1,"a"]}', { predictions: 'BYTES [1] ["[1,\\"a\\"]"]' }],
    ['{"predictions":[{"a":1},{"b":1}]}', { predictions: 'BYTES [1] ["[{\\"a\\":1},{\\"b\\":1}]"]' }],
    ['{"n":null,"o":{},"e":[]}', { n: 'BYTES [1] ["null"]', o: 'BYTES [1] ["{}"]', e: "FP64 [0] []" }],
    ['{"n":9007199254740993}', { n: 'BYTES [1] ["9007199254740993"]' }],
    ['{"a.b":1,"a":{"b":[null]}}', { "a.b": 'BYTES [1] ["1"]', a: 'BYTES [1] ["{\\"b\\":[null]}"]' }],
  ])("%s", (body, expected) => {
    expect(outputsOf("generate", body)).toEqual(expected);
    expect(outputsOf("predict", body)).toEqual(expected);
  });

  test("the order of keys makes no difference, at any depth", () => {
    const one = outputsOf("predict", '{"x":[{"b":{"d":1,"c":null},"a":1},null]}');
    expect(outputsOf("predict", '{"x":[{"a":1,"b":{"c":null,"d":1}},null]}')).toEqual(one);
  });

  test("very many fields within one are one text, and a field too many is refused", () => {
    const fields = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i]));
    expect(Object.keys(outputsOf("predict", JSON.stringify(fields(1_024))))).toHaveLength(1_024);
    expect(Object.keys(outputsOf("predict", JSON.stringify({ x: fields(1_025) })))).toEqual(["x"]);
    expect(() => outputsOf("predict", JSON.stringify(fields(1_025)))).toThrow(ProtocolError);
  });
});

describe("an event stream is read as what its events say together", () => {
  const stream = (...events: (object | string)[]) =>
    events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join("");
  const version = { model_name: "m", model_version: "3" };

  test("a text is the same, wherever it was cut", () => {
    const whole = outputsOf("generate_stream", stream({ ...version, text_output: "Hello there" }));
    const cut = stream({ ...version, text_output: "Hel" }, { ...version, text_output: "lo there" });
    expect(outputsOf("generate_stream", cut)).toEqual(whole);
    expect(whole).toEqual({ text_output: 'BYTES [] ["Hello there"]' });
    expect(decodeAnswer("generate_stream", Buffer.from(cut), null).modelVersion).toBe("3");
  });

  test.each([
    ["numbers are listed", stream({ p: 0.5 }, { p: 0.25 }), { p: "FP64 [2] [0.5,0.25]" }],
    [
      "what is no object is data",
      stream({ t: "a" }, "[DONE]"),
      {
        t: 'BYTES [] ["a"]',
        data: 'BYTES [] ["[DONE]"]',
      },
    ],
    [
      "an error in the middle is an output",
      stream({ t: "a" }, { error: "boom" }),
      {
        t: 'BYTES [] ["a"]',
        error: 'BYTES [] ["boom"]',
      },
    ],
    ["no events are no outputs", "", {}],
  ])("%s", (_, body, expected) => {
    expect(outputsOf("generate_stream", body)).toEqual(expected);
  });
});

test.each([
  ["data: a\n\ndata: b\n\n", ["a", "b"]],
  ["data:a\r\n\r\ndata: b\r\rdata\n\n", ["a", "b", ""]],
  [": comment\nevent: x\nid: 1\nretry: 5\ndata: one\ndata:  two\n\n", ["one\n two"]],
  ["\ufeffdata: a\n\nevent: only\n\n", ["a"]],
])("%j has the events %j", (body, events) => {
  expect(eventsOf(Buffer.from(body))).toEqual(events);
});

test.each([
  ["generate", "[1]"],
  ["predict", '{"predictions":'],
  ["predict", '{"a":1,"a":2}'],
  ["generate", '{"__proto__":1}'],
  ["generate_stream", '{"text_output":"x"}'],
  ["generate_stream", "data: cut off\n"],
  ["generate_stream", "data: \xff\n\n"],
] as const)("%s: %j is refused", (call, body) => {
  expect(() => decodeAnswer(call, Buffer.from(body, "latin1"), null)).toThrow(ProtocolError);
});

test.each([
  ['{"text_input":"hi","parameters":{"sequence_id":7}}', "7"],
  ['{"text_input":"hi","sequence_id":"s"}', "s"],
  ['{"text_input":"hi","parameters":{"stream":true}}', null],
])("%s belongs to the sequence %j", (body, sequence) => {
  expect(sequenceId(decodeCall("generate", Buffer.from(body), null))).toBe(sequence);
});
