import fc from "fast-check";
import { expect, test } from "vitest";
import type { Call } from "../../src/protocol/call.js";
import { memberSpan } from "../../src/protocol/member-span.js";
import { withSequenceId } from "../../src/protocol/sequence-id.js";

const id = { number: 4_503_599_627_370_497n, text: "ours" };

test.each<[string, Call, string, string]>([
  [
    "a number",
    "infer",
    '{"parameters":{"sequence_id":7}}',
    '{"parameters":{"sequence_id":4503599627370497}}',
  ],
  ["a text", "infer", '{"parameters":{"sequence_id":"7"}}', '{"parameters":{"sequence_id":"ours"}}'],
  [
    "beside numbers that keep their digits",
    "infer",
    '{"inputs":[{"data":[1.0,1e2,-0]}], "parameters" : {"a":"}\\"{", "sequence_id" : 7 ,"sequence_start":true}}',
    '{"inputs":[{"data":[1.0,1e2,-0]}], "parameters" : {"a":"}\\"{", "sequence_id" : 4503599627370497 ,"sequence_start":true}}',
  ],
  [
    "a key in escapes, and text that is not ASCII before it",
    "infer",
    '{"né":"🧮","parameters":{"sequence\\u005fid":7}}',
    '{"né":"🧮","parameters":{"sequence\\u005fid":4503599627370497}}',
  ],
  [
    "only the request's own",
    "infer",
    '{"sequence_id":7,"x":{"sequence_id":7}}',
    '{"sequence_id":7,"x":{"sequence_id":7}}',
  ],
  [
    "at the top of generate, and in its parameters",
    "generate",
    '{"sequence_id":"a","parameters":{"sequence_id":9}}',
    '{"sequence_id":"ours","parameters":{"sequence_id":4503599627370497}}',
  ],
  ["none", "generate", '{"text_input":"sequence_id"}', '{"text_input":"sequence_id"}'],
])("%s", (_, call, before, after) => {
  const { bytes, headerLength } = withSequenceId(
    call,
    { bytes: Buffer.from(before), headerLength: null },
    id,
  );
  expect(Buffer.from(bytes).toString()).toBe(after);
  expect(headerLength).toBeNull();
});

test("what follows the JSON stays, and its length is that of the new one", () => {
  const json = '{"parameters":{"sequence_id":7}}';
  const binary = Buffer.from([0, 1, 255, 34, 125]);
  const body = { bytes: Buffer.concat([Buffer.from(json), binary]), headerLength: json.length };
  const { bytes, headerLength } = withSequenceId("infer", body, id);
  expect(Buffer.from(bytes.subarray(headerLength!))).toEqual(binary);
  expect(JSON.parse(Buffer.from(bytes.subarray(0, headerLength!)).toString())).toEqual({
    parameters: { sequence_id: Number(id.number) },
  });
});

const spaces = fc.constantFrom(0, 2, "\t");

test("a member is found in any JSON object, where its parser finds it", () => {
  let found = 0;
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()),
      spaces,
      fc.nat(),
      (object, indent, pick) => {
        const text = JSON.stringify(object, null, indent);
        const names = Object.keys(JSON.parse(text));
        const name = names[pick % Math.max(1, names.length)] ?? "absent";
        const span = memberSpan(text, 0, name);
        if (names.length === 0) {
          expect(span).toBeNull();
          return;
        }
        found += 1;
        expect(JSON.parse(text.slice(span!.from, span!.to))).toEqual(JSON.parse(text)[name]);
        expect(memberSpan(text, 0, `${names.join()}!`)).toBeNull();
      },
    ),
  );
  expect(found).toBeGreaterThan(20);
});

test("a long text is passed over without deep recursion", () => {
  const text = `{"a":"${'\\"'.repeat(2_000_000)}","b":${"[".repeat(1_000_000)}`;
  expect(memberSpan(text, 0, "b")!.to).toBe(text.length);
});
