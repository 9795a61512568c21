import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { column, jsonText, time } from "../../src/store/sql.js";
import { openWorld, type World } from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const same = <T>(value: T) => value;

describe("a column comes out of UNNEST as it went in", () => {
  test("text", async () => {
    const texts = [
      "",
      "NULL",
      "null",
      " a ",
      'a"b',
      "a\\b",
      "{a,b}",
      "a,b",
      "line\nbreak",
      "é漢🙂",
      "'; --",
      null,
    ];
    const rows = await world.prisma.$queryRaw<{ v: string | null }[]>`
      SELECT v FROM unnest(${column(texts, same)}::text[]) WITH ORDINALITY AS u(v, i) ORDER BY i`;
    expect(rows.map((row) => row.v)).toEqual(texts);
  });

  test.each([
    ["NUL", "a\0b\0", "a\ufffdb\ufffd"],
    ["a lone high surrogate", "a\ud800b", "a\ufffdb"],
    ["a lone low surrogate", "a\udc00", "a\ufffd"],
  ])("text without what Postgres refuses: %s", async (_what, given, kept) => {
    const rows = await world.prisma.$queryRaw`SELECT v FROM unnest(${column([given], same)}::text[]) AS u(v)`;
    expect(rows).toEqual([{ v: kept }]);
  });

  test("doubles", async () => {
    const { NaN: nan, POSITIVE_INFINITY: inf, MAX_VALUE: max, MIN_VALUE: min, EPSILON: epsilon } = Number;
    const doubles = [0, 0.1, 1 / 3, max, -max, min, epsilon, nan, inf, -inf, null];
    const rows = await world.prisma.$queryRaw<{ v: number | null }[]>`
      SELECT v FROM unnest(${column(doubles, same)}::float8[]) WITH ORDINALITY AS u(v, i) ORDER BY i`;
    expect(rows.map((row) => row.v)).toEqual(doubles);
  });

  test("integers of 64 bits, booleans, times", async () => {
    const at = Date.parse("2026-11-20T23:59:59.999Z");
    const rows = await world.prisma.$queryRaw`
      SELECT * FROM unnest(
        ${column([2n ** 63n - 1n, -(2n ** 63n), null], same)}::bigint[],
        ${column([true, false, null], same)}::bool[],
        ${column([at, 0, -1], time)}::timestamptz[]) AS u(big, yes, at)`;
    expect(rows).toEqual([
      { big: 2n ** 63n - 1n, yes: true, at: new Date(at) },
      { big: -(2n ** 63n), yes: false, at: new Date(0) },
      { big: null, yes: null, at: new Date(-1) },
    ]);
  });

  test("none", async () => {
    const none = column([] as string[], same);
    expect(await world.prisma.$queryRaw`SELECT v FROM unnest(${none}::uuid[]) AS u(v)`).toEqual([]);
  });
});

test.each<[string, unknown, unknown]>([
  ["plain", { a: [1, "b", null, true] }, { a: [1, "b", null, true] }],
  ["nothing", undefined, null],
  ["non-finite", [Number.NaN, Number.POSITIVE_INFINITY, -1 / 0], ["NaN", "Infinity", "-Infinity"]],
  ["64 bits", { n: 2n ** 64n - 1n }, { n: "18446744073709551615" }],
  ["NUL in values and keys", { "k\0": "\0\0v" }, { "k\ufffd": "\ufffd\ufffdv" }],
  ["lone surrogates", ["a\ud83d", "\ude42b", "\ud83d\ude42"], ["a\ufffd", "\ufffdb", "🙂"]],
  ["an escape that is text", ["\\u0000", "\\\\u0000", "\\\0"], ["\\u0000", "\\\\u0000", "\\\ufffd"]],
])("JSON, as jsonb takes it: %s", async (_what, given, kept) => {
  const rows = await world.prisma.$queryRaw`
    SELECT v FROM unnest(${column([given], jsonText)}::jsonb[]) AS u(v)`;
  expect(rows).toEqual([{ v: kept }]);
});
