import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bools, float8s, int4s, int8s, jsons, texts, times, uuids } from "../../src/store/binary-columns.js";
import { openWorld, type World } from "./support.js";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const same = <T>(value: T) => value;

/** What UNNEST makes of one column, as text. */
async function textsOf(column: Buffer, type: string): Promise<(string | null)[]> {
  const rows = await world.prisma.$queryRawUnsafe<{ v: string | null }[]>(
    `SELECT v::text AS v FROM unnest($1::${type}[]) WITH ORDINALITY AS u(v, i) ORDER BY i`,
    column,
  );
  return rows.map(({ v }) => v);
}

describe("a column comes out of UNNEST as it went in", () => {
  const long = "x".repeat(5_000);
  test.each<[what: string, given: (string | null)[], kept?: (string | null)[]]>([
    ["none", []],
    ["only nulls", [null, null]],
    ["words", ["", "NULL", " a ", 'a"b', "a\\b", "{a,b}", "line\nbreak", null, "'; --"]],
    ["not ASCII", ["é", "漢字", "🙂", `${"a".repeat(30)}é`, `é${"a".repeat(60)}`]],
    ["longer than what was made room for", [long, "", long, `${long}é漢🙂`, "a", long]],
    ["NUL", ["a\0b\0", `${long}\0`], ["a\ufffdb\ufffd", `${long}\ufffd`]],
    ["lone surrogates", ["a\ud800b", "a\udc00"], ["a\ufffdb", "a\ufffd"]],
  ])("texts: %s", async (_what, given, kept = given) => {
    expect(await textsOf(texts(given, same), "text")).toEqual(kept);
  });

  test("doubles", async () => {
    const { NaN: nan, POSITIVE_INFINITY: inf, MAX_VALUE: max, MIN_VALUE: min, EPSILON: epsilon } = Number;
    const doubles = [0, -0, 0.1, 1 / 3, max, -max, min, epsilon, nan, inf, -inf, null];
    const said = await textsOf(float8s(doubles, same), "float8");
    expect(said.map((text) => (text === null ? null : Number(text)))).toEqual(doubles);
  });

  test("integers", async () => {
    const most = Number.MAX_SAFE_INTEGER;
    const wide = [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, -(2 ** 32), 2 ** 32 + 1, most, -most, null];
    expect(await textsOf(int8s(wide, same), "bigint")).toEqual(wide.map((n) => n?.toString() ?? null));
    const narrow = [0, -1, 2 ** 31 - 1, -(2 ** 31), null];
    expect(await textsOf(int4s(narrow, same), "int")).toEqual(narrow.map((n) => n?.toString() ?? null));
  });

  test("times", async () => {
    const given = ["2026-11-20T23:59:59.999Z", "2000-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z"];
    const rows = await world.prisma.$queryRaw<{ v: Date | null }[]>`
      SELECT v FROM unnest(${times([...given, null], (text) => (text === null ? null : Date.parse(text)))}::timestamptz[])
        WITH ORDINALITY AS u(v, i) ORDER BY i`;
    expect(rows.map(({ v }) => v?.toISOString() ?? null)).toEqual([...given, null]);
  });

  test("ids and booleans", async () => {
    const ids = ["01938c00-7f3a-7abc-8def-0123456789ab", "ffffffff-ffff-ffff-ffff-ffffffffffff", null];
    expect(await textsOf(uuids(ids, same), "uuid")).toEqual(ids);
    const upper = uuids(ids, (id) => id?.toUpperCase());
    expect(await textsOf(upper, "uuid")).toEqual(ids);
    expect(await textsOf(bools([true, false, null], same), "bool")).toEqual(["true", "false", null]);
  });

  test("JSON", async () => {
    const given = [
      { a: [1, "é\0", null, undefined], big: 2n ** 63n },
      [],
      [Number.NaN],
      "text",
      0,
      false,
      null,
    ];
    expect(await textsOf(jsons(given, same), "jsonb")).toEqual([
      '{"a": [1, "é\ufffd", null, null], "big": "9223372036854775808"}',
      "[]",
      '["NaN"]',
      '"text"',
      "0",
      "false",
      null,
    ]);
  });
});

describe("what has no place in a column is refused", () => {
  test.each<[string, () => Buffer]>([
    ["a short id", () => uuids(["01938c00-7f3a-7abc-8def-0123456789a"], same)],
    ["an id with another letter", () => uuids(["01938c00-7f3a-7abc-8def-0123456789ag"], same)],
    ["an id of wide letters", () => uuids(["01938c00-7f3a-7abc-8def-0123456789a漢"], same)],
    ["no time", () => times([Number.NaN], same)],
    ["a fraction", () => int8s([0.5], same)],
    ["an integer past 53 bits", () => int8s([2 ** 53], same)],
    ["an integer past 32 bits", () => int4s([2 ** 31], same)],
  ])("%s", (_what, make) => {
    expect(make).toThrow(RangeError);
  });
});
