import { expect, test } from "vitest";
import { createSequenceHold, sequenceIsSampled } from "../../src/capture/sequence-hold.js";

const noonMs = Date.parse("2026-11-20T12:00:00Z");

function open() {
  const seen = { whole: [] as string[][], incomplete: 0, held: 0, keys: new Set<string>() };
  const clock = { nowMs: 0 };
  const hold = createSequenceHold<string>({
    clock: () => clock.nowMs,
    sinks: {
      whole(_, steps) {
        seen.whole.push(steps.map(({ payload }) => payload));
        for (const { place } of steps) seen.keys.add(place.key);
        expect(steps.map(({ place }) => place.position)).toEqual(steps.map((_step, index) => index));
      },
      held: (_, __, change) => {
        seen.held += change;
      },
      incomplete: () => {
        seen.incomplete += 1;
      },
    },
  });
  /** `a(`: starts a; `a`: goes on; `a)`: ends; `a()`: both. */
  const offer = (word: string, over: { gaps?: number; bytes?: number; atMs?: number } = {}) =>
    hold.offer(
      1,
      { id: word[0]!, start: word.includes("("), end: word.includes(")") },
      { payload: word, bytes: 100, atMs: noonMs, gaps: 0, ...over },
    );
  return { seen, clock, hold, offer };
}

test.each<[string, string[], string[][], number, number]>([
  ["one whole", ["a(", "a", "a)"], [["a(", "a", "a)"]], 0, 0],
  ["of one step", ["a()"], [["a()"]], 0, 0],
  [
    "two at once",
    ["a(", "b(", "a)", "b)"],
    [
      ["a(", "a)"],
      ["b(", "b)"],
    ],
    0,
    0,
  ],
  ["one that did not begin", ["a", "a)"], [], 2, 0],
  ["one that has not ended", ["a(", "a"], [], 0, 2],
  ["begun anew before its end", ["a(", "a", "a(", "a)"], [["a(", "a)"]], 2, 0],
  [
    "an id used again",
    ["a(", "a)", "a(", "a)"],
    [
      ["a(", "a)"],
      ["a(", "a)"],
    ],
    0,
    0,
  ],
])("%s: %o", (_, words, whole, incomplete, held) => {
  const { seen, offer } = open();
  for (const word of words) offer(word);
  expect(seen).toMatchObject({ whole, incomplete, held });
  expect(seen.keys.size).toBe(whole.length);
});

test("what was lost in between, on either thread, gives up the sequences that were open", () => {
  const { seen, hold, offer } = open();
  offer("a(", { gaps: 3 });
  offer("a)", { gaps: 4 });
  offer("b(", { gaps: 4 });
  hold.gap(1);
  offer("b)", { gaps: 4 });
  offer("c(", { gaps: 4 });
  hold.gap(2);
  offer("c)", { gaps: 4 });
  expect(seen).toMatchObject({ whole: [["c(", "c)"]], incomplete: 4, held: 0 });
});

test("limits: steps, bytes, idle time, midnight, the end", () => {
  const { seen, clock, hold, offer } = open();
  offer("a(");
  for (let step = 1; step < 1_025; step++) offer("a");
  expect(seen).toMatchObject({ incomplete: 1_025, held: 0 });
  offer("b(", { bytes: 5_000_000 });
  offer("b)", { bytes: 5_000_000 });
  expect(seen).toMatchObject({ incomplete: 1_027, held: 0 });
  offer("c(");
  clock.nowMs = 60_000;
  expect(hold.sweep()).toBe(false);
  clock.nowMs = 60_001;
  expect(hold.sweep()).toBe(true);
  expect(seen).toMatchObject({ incomplete: 1_028, held: 0 });
  offer("d(");
  offer("d)", { atMs: noonMs + 86_400_000 });
  expect(seen).toMatchObject({ incomplete: 1_030, held: 0, whole: [] });
  offer("e(");
  hold.end();
  offer("f()");
  expect(seen).toMatchObject({ incomplete: 1_032, held: 0, whole: [] });
});

test("the coin falls the same for every step, and for the share that is asked for", () => {
  const ids = Array.from({ length: 4_000 }, (_, index) => String(index));
  const drawn = ids.filter((id) => sequenceIsSampled(1, id, 0.25));
  expect(ids.filter((id) => sequenceIsSampled(1, id, 0.25))).toEqual(drawn);
  expect(drawn.length).toBeGreaterThan(850);
  expect(drawn.length).toBeLessThan(1_150);
  expect(ids.some((id) => sequenceIsSampled(1, id, 0))).toBe(false);
  expect(ids.every((id) => sequenceIsSampled(1, id, 1))).toBe(true);
});
