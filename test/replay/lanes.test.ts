import { expect, it } from "vitest";
import { createLanes } from "../../src/replay/lanes.js";

const flow = { concurrency: 2, ratePerSecond: null };
const never = new AbortController().signal;

/** Requests that end when they are told to, and the order in which they began. */
function requests() {
  const ends = new Map<string, () => void>();
  const began: string[] = [];
  const act = (name: string) => () =>
    new Promise<void>((resolve) => {
      began.push(name);
      ends.set(name, resolve);
    });
  const end = async (name: string) => {
    ends.get(name)!();
    // Past all that only waits for this.
    await new Promise(setImmediate);
  };
  return { began, act, end };
}

it("requests of the work that lined up first go first, whenever they come", async () => {
  const lane = createLanes().of("1");
  const { began, act, end } = requests();
  const [first, second] = [lane.line(flow, never), lane.line(flow, never)];
  const passed = [
    first.pass(act("a1")),
    second.pass(act("b1")),
    second.pass(act("b2")),
    second.pass(act("b3")),
    first.pass(act("a2")),
    first.pass(act("a3")),
  ];
  expect(began).toEqual(["a1", "b1"]);
  await end("b1");
  await end("a1");
  expect(began).toEqual(["a1", "b1", "a2", "a3"]);
  await end("a2");
  await end("a3");
  expect(began).toEqual(["a1", "b1", "a2", "a3", "b2", "b3"]);
  await end("b2");
  await end("b3");
  await Promise.all(passed);
});

it("a work that is called off waits no more, and the places go to the others", async () => {
  const lane = createLanes().of("1");
  const { began, act, end } = requests();
  const calledOff = new AbortController();
  const [first, second] = [lane.line(flow, calledOff.signal), lane.line(flow, never)];
  const passed = [second.pass(act("b1")), second.pass(act("b2")), second.pass(act("b3"))];
  const waiting = first.pass(act("a1"));
  calledOff.abort(new Error("called off"));
  await expect(waiting).rejects.toThrow("called off");
  await expect(first.pass(act("a2"))).rejects.toThrow("called off");
  first.leave();
  await end("b1");
  expect(began).toEqual(["b1", "b2", "b3"]);
  await end("b2");
  await end("b3");
  await Promise.all(passed);
});
