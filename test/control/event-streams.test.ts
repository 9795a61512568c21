import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Child } from "../../src/process/child.js";
import { addRecorded, openServedWorld, type ServedWorld, startV2Candidate } from "../gate/served.js";
import { answer } from "../replay/support.js";
import { startWorker } from "../workers/processes.js";

let world: ServedWorld;
let worker: Child;
beforeAll(async () => {
  world = await openServedWorld();
  worker = await startWorker(world);
});
afterAll(async () => {
  await worker.stop();
  await world.close();
});

interface Event {
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what came over the wire
  data: any;
}

/** All events of a stream, to its end. */
async function eventsOf(path: string, onEvent: (event: Event) => void = () => {}): Promise<Event[]> {
  const response = await fetch(`${world.origin}/api/v1${path}`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const events: Event[] = [];
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const found = /^event: (\w+)\ndata: (.+)$/.exec(block);
      if (found === null) continue;
      events.push({ event: found[1]!, data: JSON.parse(found[2]!) });
      onEvent(events.at(-1)!);
    }
  }
  return events;
}

async function recorded(n: number, delayMs: number) {
  const candidate = await startV2Candidate(({ x }, response) => {
    setTimeout(() => response.end(answer(x)), delayMs);
  });
  onTestFinished(() => candidate.close());
  const { name } = await addRecorded(world, n, candidate.url);
  await world.store.selections.create({ deployment: name, name: "all", filter: {}, seal: true });
  return name;
}

test("a replay: how far it is, whenever that changes, and how it ended", async () => {
  const deployment = await recorded(1_500, 5);
  const { body } = await world.call("POST", "/replays", {
    body: { deployment, candidate: "c0", pace: "max", filter: {} },
  });
  const events = await eventsOf(`/replays/${body.id}/events`);
  expect(events.length).toBeGreaterThanOrEqual(3);
  const told = events.map(({ data }) => data.ended as number);
  expect(told).toEqual([...told].sort((a, b) => a - b));
  expect(events.slice(0, -1).every(({ event }) => event === "progress")).toBe(true);
  expect(events.at(-1)).toMatchObject({ event: "end", data: { id: body.id, state: "done", ended: 1_500 } });
  // Whoever comes later is told the end at once.
  expect((await eventsOf(`/replays/${body.id}/events`)).map(({ event }) => event)).toEqual(["end"]);
});

test("a gate: how much was read, and the verdict; streams end when the control plane does", async () => {
  const deployment = await recorded(1_500, 20);
  const { body } = await world.call("POST", "/gates", {
    body: { deployment, candidate: "c0", selection: "all", maxDiffRate: 0, minSamples: 300 },
  });
  let began = () => {};
  const first = new Promise<void>((resolve) => {
    began = resolve;
  });
  const cut = eventsOf(`/gates/${body.id}/events`, () => began());
  await first;
  await world.endControl();
  expect((await cut).every(({ event }) => event === "progress")).toBe(true);
  await world.startControl();
  const events = await eventsOf(`/gates/${body.id}/events`);
  expect(events[0]!.data.selection).toMatchObject({ name: "all", members: 1_500 });
  expect(events.at(-1)).toMatchObject({ event: "end", data: { state: "done", verdict: "pass" } });
});

test.each(["/replays/999/events", "/gates/999/events", "/gates/nonsense/events"])(
  "%s: a problem, as everywhere",
  async (path) => {
    const { status, headers } = await world.call("GET", path);
    expect([status, headers["content-type"]]).toEqual([
      404,
      expect.stringContaining("application/problem+json"),
    ]);
  },
);
