import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differencesOf } from "../../src/compare/structure.js";

describe("differencesOf", () => {
  test.each<[string, unknown, unknown, unknown[]]>([
    ["equal, keys in another order", { a: 1, b: 2 }, { b: 2, a: 1 }, []],
    ["−0 and 0", [0], [-0], []],
    [
      "a changed value",
      { a: { b: 1 } },
      { a: { b: 2 } },
      [{ path: "a.b", change: "changed", primary: 1, candidate: 2 }],
    ],
    ["another type", { a: 1 }, { a: "1" }, [{ path: "a", change: "changed", primary: 1, candidate: "1" }]],
    [
      "null for an object",
      { a: {} },
      { a: null },
      [{ path: "a", change: "changed", primary: {}, candidate: null }],
    ],
    ["an array for an object", [], {}, [{ path: "", change: "changed", primary: [], candidate: {} }]],
    ["an added key", {}, { a: [1] }, [{ path: "a", change: "added", candidate: [1] }]],
    ["a removed key", { a: null }, {}, [{ path: "a", change: "removed", primary: null }]],
    ["a longer array", { a: [1] }, { a: [1, 2] }, [{ path: "a[1]", change: "array", candidate: 2 }]],
    ["a shorter array", [1, 2], [1], [{ path: "[1]", change: "array", primary: 2 }]],
    ["an element", [{ x: 1 }], [{ x: 2 }], [{ path: "[0].x", change: "changed", primary: 1, candidate: 2 }]],
    [
      "odd keys",
      { "a.b": { 'c"': 1 } },
      { "a.b": {} },
      [{ path: '["a.b"]["c\\""]', change: "removed", primary: 1 }],
    ],
    [
      "big integers",
      2n ** 60n,
      2n ** 60n + 1n,
      [{ path: "", change: "changed", primary: "1152921504606846976", candidate: "1152921504606846977" }],
    ],
    [
      "numbers that JSON lacks",
      [NaN],
      [Infinity],
      [{ path: "[0]", change: "changed", primary: "NaN", candidate: "Infinity" }],
    ],
  ])("%s", (_, primary, candidate, expected) => {
    expect(differencesOf(primary, candidate)).toEqual(expected);
  });

  test("finds an added key that is empty, which deep-diff passes over", () => {
    expect(differencesOf({}, { "": 1 })).toEqual([
      { path: "", change: "changed", primary: {}, candidate: { "": 1 } },
    ]);
  });

  test("lists at most 20, and shows no more than the beginning of what is long", () => {
    expect(
      differencesOf({}, Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, i]))),
    ).toHaveLength(20);
    const difference = differencesOf("x".repeat(999), ["y".repeat(999)])[0]!;
    expect(difference.primary).toBe(`${"x".repeat(199)}…`);
    expect(difference.candidate).toHaveLength(200);
  });

  test("does not locate differences in very large documents, but finds them", () => {
    const large = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`key${i}`, i]));
    expect(differencesOf(large, { ...large })).toEqual([]);
    expect(differencesOf(large, { ...large, key7: 0 })).toMatchObject([{ path: "", change: "changed" }]);
  });

  test("finds none exactly when the two are equal", () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(json, json, (primary, candidate) => {
        expect(differencesOf(primary, structuredClone(primary))).toEqual([]);
        const isEqual = canonical(primary) === canonical(candidate);
        expect(differencesOf(primary, candidate).length === 0).toBe(isEqual);
      }),
    );
  });
});

function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value === 0 ? 0 : value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical((value as Record<string, unknown>)[key])}`)
    .join()}}`;
}
