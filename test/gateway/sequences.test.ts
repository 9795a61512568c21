import { afterAll, beforeAll, expect, test } from "vitest";
import { sequenceIsSampled } from "../../src/capture/sequence-hold.js";
import { decodeInferRequest } from "../../src/protocol/infer.js";
import { eventually } from "../support/product.js";
import { echoModel, inferRequest } from "./upstream.js";
import { type GatewayWorld, openGatewayWorld } from "./world.js";

const bodyBytesMax = 50_000;
let world: GatewayWorld;
beforeAll(async () => {
  const capture = { sequences: true };
  world = await openGatewayWorld({
    env: { UNDERSTUDY_BODY_BYTES_MAX: String(bodyBytesMax) },
    deployments: {
      whole: { capture },
      half: { capture, sampleRate: 0.5 },
      broken: { capture },
      hidden: { capture },
      off: {},
    },
    primary: echoModel,
  });
});
afterAll(() => world?.close());

const step = (id: number | string, x: number, more: Record<string, unknown> = {}) =>
  inferRequest([x], { parameters: { sequence_id: id, ...more } });
const start = { sequence_start: true };
const end = { sequence_end: true };

const idsIn = (body: Uint8Array) => String(decodeInferRequest(body, null).parameters.sequence_id ?? "");

test("a sequence that takes longer than a spool file lives lies whole, in order, in one segment", async () => {
  await world.post("whole", step(7, 0, start));
  await world.post("whole", inferRequest());
  // The first step waits for the others; the request beside it does not.
  const waiting = await eventually(
    () => world.ledgerOf("whole"),
    ({ captured, buffered }) => captured === 1 && buffered === 1,
    { withinMs: 15_000, everyMs: 50 },
  );
  expect(waiting).toMatchObject({ received: 2, balanced: true });
  await world.post("whole", step("text", 0, { ...start, ...end }));
  await world.post("whole", step(7, 1));
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await world.post("whole", step(7, 2, end));
  expect(await world.settled("whole", 5)).toMatchObject({ captured: 5, notEligible: {}, balanced: true });
  const segments = await world.segmentsOf("whole");
  const holding = segments.filter((captures) =>
    captures.some(({ requestBody }) => idsIn(requestBody) === "7"),
  );
  expect(holding).toHaveLength(1);
  const steps = holding[0]!.filter(({ requestBody }) => idsIn(requestBody) === "7");
  expect(steps.map(({ requestBody }) => Buffer.from(requestBody).toString())).toEqual([
    step(7, 0, start),
    step(7, 1),
    step(7, 2, end),
  ]);
  expect(steps.map(({ sequencePlace }) => sequencePlace!.position)).toEqual([0, 1, 2]);
  expect(new Set(steps.map(({ sequencePlace }) => sequencePlace!.key)).size).toBe(1);
  expect(steps.every(({ sample }) => sample === "base")).toBe(true);
}, 40_000);

test("sequences are sampled whole, by their id; other requests by the coin of each", async () => {
  const ids = Array.from({ length: 30 }, (_, index) => index + 1);
  for (const id of ids) {
    await world.post("half", step(id, 0, start));
    await world.post("half", inferRequest());
    await world.post("half", step(id, 1, end));
  }
  const ledger = await world.settled("half", 90);
  expect(ledger).toMatchObject({ balanced: true, notEligible: {}, dropped: {} });
  const captures = await world.capturesOf("half");
  const inSequence = captures.filter(({ sequencePlace }) => sequencePlace !== null);
  const drawn = ids.filter((id) => sequenceIsSampled(world.ids.get("half")!, String(id), 0.5));
  expect(inSequence.map(({ requestBody }) => idsIn(requestBody))).toEqual(
    drawn.flatMap((id) => [`${id}`, `${id}`]),
  );
  expect(ledger.captured).toBe(captures.length);
  expect(ledger.sampledOut).toBe(90 - captures.length);
  // A fair coin leaves fewer than 3 or more than 27 of 30 with a probability of less than one in a million.
  const others = captures.length - inSequence.length;
  expect(others).toBeGreaterThan(2);
  expect(others).toBeLessThan(28);
}, 40_000);

test("a sequence that lost a step is not captured at all", async () => {
  await world.post("broken", step(1, 0, start));
  const large = inferRequest([1], { parameters: { sequence_id: 1 }, padding: "x".repeat(bodyBytesMax) });
  await world.post("broken", large);
  await world.post("broken", step(1, 2, end));
  await world.post("broken", step(2, 0));
  expect(await world.settled("broken", 4)).toMatchObject({
    captured: 0,
    dropped: { too_large: 1 },
    notEligible: { sequence_incomplete: 3 },
    balanced: true,
  });
}, 40_000);

test("a sequence with a step that cannot be read is not captured at all", async () => {
  await world.post("hidden", step(1, 0, start));
  await world.post("hidden", step(1, 1).replace("{", '{"id":"a","id":"b",'));
  await world.post("hidden", step(1, 2, end));
  expect(await world.settled("hidden", 3)).toMatchObject({
    captured: 0,
    notEligible: { parse: 1, sequence_incomplete: 2 },
    balanced: true,
  });
}, 40_000);

test("without being asked for, sequences are not eligible", async () => {
  await world.post("off", step(1, 0, { ...start, ...end }));
  expect(await world.settled("off", 1)).toMatchObject({ captured: 0, notEligible: { sequence: 1 } });
}, 40_000);
