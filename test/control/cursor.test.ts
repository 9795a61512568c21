import { describe, expect, test } from "vitest";
import { z } from "zod";
import { decodeCursor, encodeCursor, pageOfAll } from "../../src/control/cursor.js";

describe("a list that is read whole", () => {
  // As a database with another collation than JavaScript's would give them.
  const items = ["b", "A", "a.1", "B", "a"];

  test.each([1, 2, 5, 100])("pages of %i give every item once, whatever order it came in", (limit) => {
    const seen: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = pageOfAll(items, (item) => item, { limit, cursor });
      seen.push(...page.items);
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(seen).toEqual([...items].sort());
  });

  test("an item that went between two pages does not end the list", () => {
    const { nextCursor } = pageOfAll(items, (item) => item, { limit: 2 });
    const rest = items.filter((item) => item !== "B");
    expect(pageOfAll(rest, (item) => item, { cursor: nextCursor! }).items).toEqual(["a", "a.1", "b"]);
  });
});

test("a cursor says nothing in the clear, and is read only as what it was written for", () => {
  const cursor = encodeCursor(["-maxAbs", 1.5]);
  expect(cursor).toMatch(/^[\w-]+$/);
  expect(decodeCursor(cursor, z.tuple([z.string(), z.number()]))).toEqual(["-maxAbs", 1.5]);
  for (const [text, schema] of [
    [cursor, z.tuple([z.number()])],
    ["", z.tuple([z.string()])],
    ["%%%", z.tuple([z.string()])],
  ] as const) {
    expect(() => decodeCursor<unknown>(text, schema)).toThrow(/cursor is not one/);
  }
});
