import { describe, expect, it, test } from "vitest";
import { createTurns, type Place } from "../../src/replay/turns.js";

const never = new AbortController().signal;

describe("places", () => {
  // Each row: places, who asks in order, who gets one.
  test.each([
    [4, "aaaa", "aa--"],
    [4, "aabbcc", "aab-c-"],
    [4, "abcd", "abcd"],
    [8, "aaaaabbbcc", "aaaa-bb-c-"],
    [1, "aa", "a-"],
    [1, "ab", "ab"],
  ])("of %i, asked by %s: %s", (places, asking, expected) => {
    const turns = createTurns(places);
    const got = [...asking].map((name) => (turns.enter(name) === null ? "-" : name));
    expect(got.join("")).toBe(expected);
  });

  it("are free again when left, however often", () => {
    const turns = createTurns(2);
    const place = turns.enter("a")!;
    expect(turns.enter("a")).toBeNull();
    place.leave();
    place.leave();
    expect(turns.enter("a")).not.toBeNull();
    expect(turns.enter("a")).toBeNull();
  });
});

describe("turns", () => {
  const enterThree = () => {
    const turns = createTurns(8);
    const places = [turns.enter("a")!, turns.enter("a")!, turns.enter("a")!] as const;
    const began: number[] = [];
    const ask = (n: 0 | 1 | 2, signal = never) => places[n].turn(signal).then(() => began.push(n));
    return { turns, places, began, ask };
  };

  it("come one after another, first come, first served", async () => {
    const { places, began, ask } = enterThree();
    const asked = [ask(0), ask(1), ask(2)];
    await asked[0];
    expect(began).toEqual([0]);
    places[0].leave();
    await asked[1];
    expect(began).toEqual([0, 1]);
    places[1].leave();
    await asked[2];
    expect(began).toEqual([0, 1, 2]);
  });

  it("of another candidate do not wait", async () => {
    const { turns, ask } = enterThree();
    await ask(0);
    await turns.enter("b")!.turn(never);
  });

  it("pass by those who gave up or left while they waited", async () => {
    const { places, began, ask } = enterThree();
    const calledOff = new AbortController();
    const asked = [ask(0), ask(1, calledOff.signal), ask(2)];
    calledOff.abort(new Error("called off"));
    await expect(asked[1]).rejects.toThrow("called off");
    (places[1] as Place).leave();
    expect(began).toEqual([0]);
    places[0].leave();
    await asked[2];
    expect(began).toEqual([0, 2]);
  });

  it("are not given to those who gave up before they asked", async () => {
    const { ask } = enterThree();
    await expect(ask(0, AbortSignal.abort(new Error("called off")))).rejects.toThrow("called off");
    await ask(1);
  });
});

it("remembers each work once, and recalls the oldest of a candidate", () => {
  const turns = createTurns(1);
  for (const id of [3n, 1n, 3n]) turns.remember("a", id);
  turns.remember("b", 9n);
  expect([turns.recall("a"), turns.recall("a"), turns.recall("a"), turns.recall("b")]).toEqual([
    3n,
    1n,
    undefined,
    9n,
  ]);
});
