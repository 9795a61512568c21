import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scanNumberList } from "../../src/protocol/number-list.js";
import { standInNumbers } from "../../src/protocol/stand-in-numbers.js";

const scan = scanNumberList!;

/** Behind `lead`, which moves the list against the blocks of 64 bytes. */
const scanned = (list: string, lead = "") =>
  scan(Buffer.from(`${lead}${list} , "after": [9.9]}`, "latin1"), lead.length);

/** What looking at each character says; whole numbers are not the scanner's. */
function looked(list: string): { count: number; end: number } | null {
  const found = standInNumbers(list, 0);
  if (found === null || Number.isInteger(found.list[0])) return null;
  return { count: found.list.length, end: found.end };
}

const decimal = fc
  .oneof(
    fc.double({ min: -1e8, max: 1e8, noNaN: true }).map((value) => value.toFixed(6)),
    fc.double({ min: -1, max: 1, noNaN: true }).map(String),
    fc.double({ min: 1e-9, max: 1e-7, noNaN: true }).map(String),
    fc.integer({ min: -999_999_999, max: 999_999_999 }).map(String),
    fc.constantFrom("0.5", "-0.0", "10.25E-7", "1e-05", "-0", "0"),
  )
  .filter((text) => !text.includes("e+"));

test("every list as servers and clients write it is taken, wherever its blocks begin", () => {
  fc.assert(
    fc.property(
      fc.array(decimal, { minLength: 1, maxLength: 60 }),
      fc.constantFrom(",", ", ", ",\n  "),
      fc.nat(70),
      (numbers, comma, lead) => {
        const list = `${[...numbers, "0.5"].join(comma)}]`;
        expect(scanned(list, "x".repeat(lead))).toEqual({
          count: numbers.length + 1,
          end: lead + list.length,
        });
      },
    ),
    { numRuns: 500 },
  );
});

test("nothing is taken that looking at each character refuses, and counts and ends agree", () => {
  let taken = 0;
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(..."0019.,-eE+ \n]x", ",0.5", ", -1.5e-3", "123456789"), { maxLength: 90 }),
      fc.nat(130),
      (parts, numbers) => {
        // Sound numbers before it bring what may be unsound to every place in a block.
        const list = `${"0.25,".repeat(numbers)}1.5${parts.join("")}]`;
        const found = scanned(list);
        if (found === null) return;
        taken += 1;
        expect(found).toEqual(looked(list));
      },
    ),
    { numRuns: 5_000 },
  );
  expect(taken).toBeGreaterThan(50);
});

describe.each([0, 57, 58, 59, 60, 61, 62, 63, 64])("behind %i bytes", (before) => {
  const lead = before === 0 ? "" : `${"1".padStart(before - 2, " ")}.5,`.slice(-before);
  const sound = lead === "" ? "0.5," : "";
  test.each([
    ...[
      "",
      "-",
      ".5",
      "1.",
      "-.5",
      "1..5",
      "1.5.2",
      "01",
      "-01",
      "00.5",
      "1e5",
      "1e+5",
      "1e",
      "1e-",
      "1e-5.2",
    ],
    ...[
      "1e-5e-5",
      "e-5",
      "1-2",
      "--1",
      "1 2",
      "1 ,2",
      "1,,2",
      ",1",
      "1,",
      "+1",
      "1_0",
      "0x1",
      "NaN",
      "Infinity",
    ],
    ...[
      "-Infinity",
      "null",
      '"1"',
      "[1]",
      "1.5e-",
      "1.e-5",
      "1E5",
      "- 1",
      "1. 5",
      "1234567890",
      "1234567890.5",
    ],
  ])("%s is left to others", (odd) => {
    const list = `${sound}${lead}${odd}]`;
    expect(scanned(list)).toBe(null);
    expect(scanned(`${sound}${lead}${odd},0.5]`)).toBe(null);
  });

  test.each(["1.5", "-0.5", "0", "-0", "0.0", "12e-3", "1.25E-10", "123456789", "-123456789.125"])(
    "%s is taken",
    (number) => {
      const list = `${sound}${lead}${number},0.5]`;
      expect(scanned(list)).toEqual(looked(list));
      expect(scanned(list)).not.toBe(null);
    },
  );
});

test("a list longer than the scanner's memory", () => {
  const list = `${Array.from({ length: 100_000 }, (_, i) => (i / 7).toFixed(5)).join(", ")}]`;
  expect(scanned(list, "[")).toEqual({ count: 100_000, end: 1 + list.length });
  expect(scanned(list.replace(/.{9}$/, "1.5.5,2.5]"))).toBe(null);
});

test.each(["", "1.5", "1.5,", "1.5, 2"])("%s without an end is left to others", (text) => {
  expect(scan(Buffer.from(text), 0)).toBe(null);
});
