import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parsePolicyText } from "../../src/compare/policy-text.js";
import { UnderstudyError } from "../../src/errors.js";

function faultIn(text: string): UnderstudyError {
  try {
    parsePolicyText(text);
  } catch (error) {
    expect(error).toBeInstanceOf(UnderstudyError);
    return error as UnderstudyError;
  }
  throw new Error("was accepted");
}

describe("parsePolicyText", () => {
  test("reads what JSON.parse reads, and fills in defaults", () => {
    const text =
      '\ufeff{\r\n  "outputs": { "\\u0079 \\"": { "rule": "numpy", "atol": 1e-3 } },\n\t"parameters": "fail" }\n';
    expect(parsePolicyText(text)).toEqual({
      outputs: { 'y "': { rule: "numpy", atol: 1e-3, rtol: 1e-5 } },
      parameters: "fail",
    });
    expect(parsePolicyText('{"outputs":{}}')).toEqual({ outputs: {} });
  });

  test.each([
    [
      '{"outputs": {\n  "y": {"rule": "numpy", "atol": -1}\n}}',
      "line 2, column 34: outputs.y.atol: must be 0 or more",
    ],
    ['{"outputs": {\n  "y": {\n    "rule": "close"}\n}}', "line 3, column 13: outputs.y.rule: must have"],
    ['{"outputs": {\r\n\r\n  "y": {}}}', "line 3, column 8: outputs.y.rule: must have"],
    [
      '{"outputs": {"y": {"rule": "exact",\n "tol": 1}}}',
      "line 2, column 2: outputs.y.tol: is not known here",
    ],
    ['{"outputs": {}, "output": 1}', "line 1, column 17: output: is not known here"],
    ['{\n"outputs": []}', "line 2, column 12: outputs: "],
    ["[]", "line 1, column 1: "],
    ["{}", "line 1, column 1: outputs: "],
    [
      '{"outputs": {"a": {"rule": "ulp", "maxUlps": 1.5}}}',
      "line 1, column 46: outputs.a.maxUlps: must be a whole number",
    ],
    [
      '{"outputs": {"a": {"rule": "numpy",\n"cast": ["FP16", "FLOAT"]}}}',
      "line 2, column 9: outputs.a.cast: must be true, false, or a list of datatypes",
    ],
    ['{"outputs": {"a": {"rule": "numpy", "atol": 1e999}}}', "line 1, column 45: outputs.a.atol: must be"],
    ["", "line 1, column 1: expected a value, found the end"],
    ["{", "line 1, column 2: expected a key in quotes, found the end"],
    ['{"outputs": {},}', 'line 1, column 16: expected a key in quotes, found "}"'],
    ['{"outputs": {}}\n}', 'line 2, column 1: expected the end, found "}"'],
    ['{"outputs" {}}', 'line 1, column 12: expected ":", found "{"'],
    ['{"outputs": {} "x"}', 'line 1, column 16: expected "," or "}", found "\\""'],
    ['{"outputs": {"y": [1 2]}}', 'line 1, column 22: expected "," or "]", found "2"'],
    ["{'outputs': {}}", 'line 1, column 2: expected a key in quotes, found "\'"'],
    ['{\n  // a comment\n  "outputs": {}}', 'line 2, column 3: expected a key in quotes, found "/"'],
    ['{"outputs": {"y\n": 1}}', "line 1, column 14: expected a string that ends on its line"],
    [
      '{"outputs": {"\\q": 1}}',
      "line 1, column 14: expected a string without control characters or unknown escapes",
    ],
    ['{"outputs": NaN}', 'line 1, column 13: expected a value, found "N"'],
    [
      '{"outputs": {"y": {"rule": "exact"},\n"y": {"rule": "bytes"}}}',
      'line 2, column 1: the key "y" stands here a second time',
    ],
    [
      '{"outputs": {"__proto__": {"rule": "exact"}}}',
      'line 1, column 14: the key "__proto__" is not allowed',
    ],
    ["[".repeat(100_000), "line 1, column 33: nests deeper than 32 levels"],
    ["{".padEnd(2 ** 20 + 1, " "), "line 1, column 1: is longer than 1048576 characters"],
  ])("refuses %j, pointing at the place", (text, message) => {
    const error = faultIn(text);
    expect(error.code).toBe("invalid_request");
    expect(error.message).toContain(`The policy is not valid: ${message}`);
  });

  test("names every fault, in the order of the text", () => {
    const { message, details } = faultIn(
      '{"parameters": "warn",\n "outputs": {"a": {"rule": "numpy", "rtol": -1},\n "b": {"rule": "exact", "x": 1, "y": 2}}}',
    );
    expect(message).toContain("line 1, column 16: parameters: ");
    expect(
      (details!.issues as { line: number; path: string }[]).map(({ line, path }) => [line, path]),
    ).toEqual([
      [1, "parameters"],
      [2, "outputs.a.rtol"],
      [3, "outputs.b.x"],
      [3, "outputs.b.y"],
    ]);
  });

  test("accepts and refuses any JSON as JSON.parse does, but for repeated keys", () => {
    const changed = fc
      .tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.constantFrom("", ",", "}", '"', "0", " ", "\\", "é"))
      .map(
        ([text, at, sign]) =>
          text.slice(0, at % (text.length + 1)) + sign + text.slice(at % (text.length + 1)),
      );
    fc.assert(
      fc.property(changed, (text) => {
        const wrapped = `{"outputs": ${text}}`;
        let isJson = true;
        try {
          JSON.parse(wrapped);
        } catch {
          isJson = false;
        }
        let faults: { path: string; message: string }[] = [];
        try {
          parsePolicyText(wrapped);
        } catch (error) {
          expect(error).toBeInstanceOf(UnderstudyError);
          faults = (error as UnderstudyError).details!.issues as typeof faults;
        }
        const [first] = faults;
        if (/second time|__proto__/.test(first?.message ?? "")) return;
        expect(first?.path === "" && first.message.startsWith("expected")).toBe(!isJson);
      }),
      { numRuns: 500 },
    );
  });
});
