import { expect, test } from "vitest";
import { Scratch } from "../src/scratch.js";

const memoryOf = (scratch: Scratch, bytes: number) => {
  const taken = scratch.take(bytes);
  expect(taken.length).toBeGreaterThanOrEqual(bytes);
  return taken.buffer;
};

test("the same memory serves all that fit into it", () => {
  const scratch = new Scratch(1024 ** 2);
  const first = memoryOf(scratch, 100_000);
  expect(memoryOf(scratch, 10)).toBe(first);
  expect(memoryOf(scratch, 100_000)).toBe(first);
  const larger = memoryOf(scratch, 1024 ** 2);
  expect(larger).not.toBe(first);
  expect(memoryOf(scratch, 100_000)).toBe(larger);
});

test("what is larger than is kept has memory of its own", () => {
  const scratch = new Scratch(100_000);
  const kept = memoryOf(scratch, 100_000);
  expect(memoryOf(scratch, 100_001)).not.toBe(kept);
  expect(memoryOf(scratch, 100_000)).toBe(kept);
});

test("what was left to its user is not used again", () => {
  const scratch = new Scratch(100_000);
  const left = memoryOf(scratch, 10);
  scratch.leave();
  expect(memoryOf(scratch, 10)).not.toBe(left);
});
