import fc from "fast-check";
import { expect, test } from "vitest";
import { parseLosslessJson } from "../../src/protocol/lossless-json.js";
import { parsePlain } from "../../src/protocol/plain-json.js";

/** The ordinary way alone. */
const ordinary = (text: string) => parseLosslessJson(text, () => null);

test.each([
  "[1,2.5,-0,1e3,-9007199254740991]",
  ' {"a" : [ true , false , null ], "b":{"a":1} }\n',
  '{"a:b":":","c":":d"}',
  '{"outputs":[{"name":"y","shape":[1,2],"datatype":"FP32","data":[0.1,2]}]}',
])("reads %s as the ordinary way does", (text) => {
  expect(parsePlain(text)).toStrictEqual(ordinary(text));
});

test.each([
  "[NaN]",
  "[Infinity]",
  "1e999",
  "9007199254740993",
  "-9223372036854775808",
  "1e300",
  '{"a":1,"a":2}',
  '{"a":1,"a" :2}',
  '[{"b":{"a":1,"c":2,"a":2}}]',
  '{"a":1,"\\u0061":2}',
  '{"a":"\\"b\\":"}',
  '{"__proto__":1}',
  "",
  "[1,]",
  "[".repeat(40) + "]".repeat(40),
  `"${"x".repeat(300_000)}"`,
])("leaves %s to the ordinary way", (text) => {
  expect(parsePlain(text)).toBeUndefined();
});

test("what it reads of any text, the ordinary way reads alike", () => {
  const piece = fc.oneof(
    fc.json({ noUnicodeString: false }),
    fc.constantFrom(...'{}[],:"\\ 0123456789-.eE\n', '"a"', '"a":', "1e400", "9007199254740993", "null"),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      const plain = parsePlain(text);
      if (plain !== undefined) expect(plain).toStrictEqual(ordinary(text));
    }),
    { numRuns: 3_000 },
  );
});

test("any object is read alike, or left", () => {
  const key = fc.constantFrom("a", "b", "c", "a:b", "");
  const text = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom("1", "-0.5", "true", '"x"', '":"', "null"),
      fc.array(tie("value"), { maxLength: 3 }).map((items) => `[${items.join(" , ")}]`),
      fc
        .array(fc.tuple(key, tie("value")), { maxLength: 4 })
        .map((members) => `{${members.map(([name, value]) => `"${name}" :${value}`).join(",")}}`),
    ),
  })).value;
  let twice = 0;
  fc.assert(
    fc.property(text, (json) => {
      const plain = parsePlain(json);
      if (plain !== undefined) expect(plain).toStrictEqual(ordinary(json));
      else {
        twice += 1;
        expect(() => ordinary(json)).toThrow("twice");
      }
    }),
    { numRuns: 3_000 },
  );
  expect(twice).toBeGreaterThan(100);
});
