import { expect, test } from "vitest";
import { remembered } from "../src/remembered.js";

/** A function whose result says how often it was made. */
function counting(charactersMax?: number) {
  let made = 0;
  return remembered((text) => `${text.length} ${++made}`, charactersMax);
}

test("what was made of a text is made once", () => {
  const of = counting();
  expect([of("a"), of("b"), of("a")]).toEqual(["1 1", "1 2", "1 1"]);
});

test("neither many texts nor long ones are kept", () => {
  const of = counting();
  for (let n = 0; n <= 1_000; n++) of(`text ${n}`);
  expect(of("text 0")).toBe("6 1002");
  const long = "x".repeat(257);
  expect([of(long), of(long)]).toEqual(["257 1003", "257 1004"]);
  const ofLong = counting(257);
  expect([ofLong(long), ofLong(long), ofLong(`${long}x`), ofLong(`${long}x`)]).toEqual([
    ...["257 1", "257 1"],
    ...["258 2", "258 3"],
  ]);
});
