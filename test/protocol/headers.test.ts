import { expect, test } from "vitest";
import { ProtocolError } from "../../src/protocol/error.js";
import { parseHeaderLength } from "../../src/protocol/headers.js";

test.each([
  [undefined, null],
  ["0", 0],
  ["10", 10],
  [" 7 ", 7],
  ["007", 7],
])("%j is %j", (value, length) => expect(parseHeaderLength(value, 10)).toBe(length));

test.each(["", "-1", "+1", "1.0", "1e1", "0x5", "5, 5", "ten", "NaN", "11", "9".repeat(40), "\u0661"])(
  "%j is refused",
  (value) => expect(() => parseHeaderLength(value, 10)).toThrow(ProtocolError),
);
