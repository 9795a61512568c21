import fc from "fast-check";
import { expect, test } from "vitest";
import { atLeast, bytes, short } from "../../web/src/format.js";

test.each([
  [0, "0"],
  [0.0012345, "0.00124"],
  [0.001, "1e-3"],
  [1e-9, "1e-9"],
  [10.9501, "11"],
  [999.5, "1000"],
  [12345678, "1.24e+7"],
  [5e-324, "5e-324"],
  [Number.MAX_VALUE, "1.7976931348623157e+308"],
])("%d is reached by %s", (value, shown) => expect(atLeast(value)).toBe(shown));

test("never less than what is needed, and hardly more", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (value) => {
      const shown = Number(atLeast(value));
      expect(shown).toBeGreaterThanOrEqual(value);
      expect(shown).toBeLessThanOrEqual(value * 1.011);
    }),
  );
});

test.each([
  [1e-5, "1e-5"],
  [0.05, "0.05"],
  [0, "0"],
  [1000, "1000"],
])("%d is written %s", (value, shown) => expect(short(value)).toBe(shown));

test.each([
  [999, "999\u00a0B"],
  [1_000, "1.0\u00a0kB"],
  [999_949, "999.9\u00a0kB"],
  [999_950, "1.0\u00a0MB"],
  [1_667_100_000, "1.7\u00a0GB"],
  [5e15, "5000.0\u00a0TB"],
])("%d bytes are written %s", (value, shown) => expect(bytes(value)).toBe(shown));
