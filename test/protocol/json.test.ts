import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProtocolError } from "../../src/protocol/error.js";
import { parseJson, plainJson, stringifyJson } from "../../src/protocol/json.js";

function errorOf(run: () => unknown): ProtocolError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return error as ProtocolError;
  }
  throw new Error("nothing was thrown");
}

test.each<[string, unknown]>([
  ["[1,2.5,-0,1e3]", [1, 2.5, -0, 1000]],
  [' {"a" : [ true , false , null ] }\n', { a: [true, false, null] }],
  ["[NaN,Infinity,-Infinity]", [NaN, Infinity, -Infinity]],
  ["9007199254740991", 9007199254740991],
  ["9007199254740993", 9007199254740993n],
  ["-9223372036854775808", -9223372036854775808n],
  ["18446744073709551615", 18446744073709551615n],
  ["[0.1234567890123456789]", [Number("0.1234567890123456789")]],
  ['{"a:b":":"}', { "a:b": ":" }],
  ['{"constructor":1,"toString":2}', { constructor: 1, toString: 2 }],
  ['"\\u00e4\\n\\"ä"', 'ä\n"ä'],
  ['[NaN,"\\ud83d\\ude00\\\\"]', [NaN, "😀\\"]],
  ["[[],{}]", [[], {}]],
])("reads %s", (text, value) => {
  expect(parseJson(text)).toStrictEqual(value);
  expect(parseJson(Buffer.from(text))).toStrictEqual(value);
});

test.each([
  ["", "expected a value at character 0, found the end"],
  ["[1,]", 'expected a value at character 3, found "]"'],
  ["[1 2]", 'expected "," or "]" at character 3, found "2"'],
  ["01", 'expected the end at character 1, found "1"'],
  ["+1", "expected a value"],
  [".5", "expected a value"],
  ["[1.]", 'expected "," or "]"'],
  ["{a:1}", "expected a key in quotes"],
  ['{"a" 1}', 'expected ":"'],
  ['{"a":1', 'expected "," or "}"'],
  ['{"a":1}x', "expected the end"],
  ['"abc', "expected a closed string"],
  ['"abc\\', "expected a closed string"],
  ['"a\nb"', "without control characters"],
  ['"\\x41"', "unknown escapes"],
  ["nan", "expected a value"],
  ["[Inf]", "expected a value"],
  ["1e400", "beyond float64"],
  ["-1e400", "beyond float64"],
  ["1".repeat(400), "beyond float64"],
  ['{"a":1,"a":1}', 'the key "a" twice'],
  ['[{"a":1,"\\u0061":2}]', 'the key "a" twice'],
  ['{"x":{"__proto__":{"y":1}}}', 'the key "__proto__"'],
  ['{"\\u005f_proto__":1}', 'the key "__proto__"'],
  ["\ufeff{}", "expected a value"],
])("refuses %j", (text, message) => {
  expect(errorOf(() => parseJson(text)).message).toContain(message);
});

test.each<[string, unknown]>([
  ["-0", -0],
  ["NaN", NaN],
  ["-Infinity", -Infinity],
  ["18446744073709551616", 2n ** 64n],
  ["1.4411518807585587e+17", 2 ** 57],
  ["9007199254740991", 9007199254740991],
  ["[1,null,null]", [1, undefined, null]],
  ['{"b\\n":{"c":[]}}', { a: undefined, "b\n": { c: [] } }],
])("writes %s", (text, value) => expect(stringifyJson(value)).toBe(text));

test("bytes that are not UTF-8 are refused, and the excerpt is printable", () => {
  const error = errorOf(() => parseJson(Buffer.from([0x22, 0xff, 0x00, 0x22])));
  expect(error.message).toBe("JSON is not UTF-8");
  expect(error.excerpt).toBe('"\\u00ff\\u0000"');
});

test.each(["[", '{"a":', '[{"a":'])("two million nested %j give an error", (open) => {
  expect(errorOf(() => parseJson(open.repeat(2_000_000))).message).toContain("nests deeper than 80");
});

test("two million closed brackets give an error, also when nothing else is wrong", () => {
  const text = "[".repeat(2_000_000) + "]".repeat(2_000_000);
  expect(errorOf(() => parseJson(text)).message).toContain("nests deeper than 80");
  expect(errorOf(() => parseJson(`{"x":NaN,"y":${text}}`)).message).toContain("nests deeper than 80");
});

describe("properties", () => {
  const scalar = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.string({ unit: "binary" }),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt().filter((value) => value > 2n ** 53n || value < -(2n ** 53n)),
  );
  const key = fc.string().filter((text) => text !== "__proto__");
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      scalar,
      fc.array(tie("value")),
      fc.dictionary(key, tie("value"), { noNullPrototype: true }),
    ),
  }));

  test("what was written is read back", () => {
    fc.assert(
      fc.property(value, (item) => {
        expect(parseJson(stringifyJson(item))).toStrictEqual(item);
      }),
    );
  });

  const rounded = (item: unknown): unknown => {
    if (typeof item === "bigint") return Number(item);
    if (Array.isArray(item)) return item.map(rounded);
    if (typeof item !== "object" || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([name, member]) => [name, rounded(member)]));
  };

  test("agrees with JSON.parse on JSON without bare words and big integers", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!text.includes("__proto__"));
        expect(rounded(parseJson(text))).toStrictEqual(JSON.parse(text));
      }),
    );
  });

  test("refuses what JSON.parse refuses, bare words apart", () => {
    const soup = fc.string({ unit: fc.constantFrom(...'{}[]",:0123456789.eE+-\\u \nabtruefalsn') });
    fc.assert(
      fc.property(soup, (text) => {
        let native: unknown;
        try {
          native = JSON.parse(text);
        } catch {
          errorOf(() => parseJson(text));
          return;
        }
        let ours: unknown;
        try {
          ours = parseJson(text);
        } catch (error) {
          expect((error as Error).message).toMatch(/twice|beyond float64/);
          return;
        }
        expect(rounded(ours)).toStrictEqual(native);
      }),
      { numRuns: 3000 },
    );
  });
});

test("plain JSON carries bigints and non-finite numbers as strings", () => {
  expect(plainJson({ a: [2n ** 60n, NaN, -Infinity, 1.5], b: null, c: { d: true } })).toEqual({
    a: ["1152921504606846976", "NaN", "-Infinity", 1.5],
    b: null,
    c: { d: true },
  });
});
