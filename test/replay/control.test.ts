import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Capture } from "../../src/capture/capture.js";
import { summaryOf } from "../../src/control/summary.js";
import { newId } from "../../src/ids.js";
import { controlTurn } from "../../src/replay/control.js";
import { replayWork } from "../../src/replay/replay-work.js";
import { endpoint, newCandidate, newDeployment, wholeTime } from "../store/support.js";
import {
  answer,
  capture,
  openReplayWorld,
  type Received,
  type ReplayWorld,
  startCandidate,
} from "./support.js";

const never = new AbortController().signal;

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

type Act = (received: Received, response: ServerResponse) => void;
const agree: Act = ({ x }, response) => void response.end(answer(x));

interface Setting {
  captures: Capture[];
  candidate?: Act;
  /** null: the deployment names none. */
  control: Act | null;
  headers?: Record<string, string>;
  share?: number;
  policy?: unknown;
  /** How often the work is delivered, all at the same time. */
  deliveries?: number;
}

let names = 0;

/** Replays captures to a candidate and a control; returns what was written, and who was asked for what, in order. */
async function replay({
  captures,
  candidate = agree,
  control,
  headers = {},
  share = 1,
  policy = newDeployment().policy,
  deliveries = 1,
}: Setting) {
  const order: string[] = [];
  const told = (who: string, act: Act) => (received: Received, response: ServerResponse) => {
    order.push(`${who} ${received.x}`);
    act(received, response);
  };
  const under = await startCandidate(told("candidate", candidate));
  const twin = await startCandidate(told("control", control ?? agree));
  const name = `controlled-${++names}`;
  const deployment = await world.store.registry.createDeployment(
    newDeployment({ name, policy, control: control && endpoint({ url: twin.url, headers }) }),
  );
  const { liveRunId } = await world.store.registry.addCandidate(
    name,
    newCandidate({ endpoint: endpoint({ url: under.url }) }),
  );
  const { workId } = await world.addSegment(deployment.id, captures);
  const deps = world.worker({ controlShare: share });
  await Promise.all(Array.from({ length: deliveries }, () => replayWork(deps, workId, never)));
  await replayWork(deps, workId, never);
  await Promise.all([under.close(), twin.close()]);
  return {
    order,
    outcomes: await world.outcomes(workId),
    summary: summaryOf(liveRunId, await world.store.rollups.summary(liveRunId, wholeTime)),
  };
}

const several = (n: number, over: (x: number) => Partial<Capture> = () => ({})) =>
  Array.from({ length: n }, (_, x) => capture(x + 1, over(x + 1)));

describe("which captures go to the control", () => {
  const ids = Array.from({ length: 20_000 }, () => newId());

  test("a tenth, in either order as often, and the same at every delivery", () => {
    const turns = ids.map((id) => controlTurn(id, 0.1));
    const share = (turn: string) => turns.filter((each) => each === turn).length / ids.length;
    // Six standard deviations of a binomial.
    expect(Math.abs(share("before") - 0.05)).toBeLessThan(0.0093);
    expect(Math.abs(share("after") - 0.05)).toBeLessThan(0.0093);
    expect(ids.map((id) => controlTurn(id, 0.1))).toEqual(turns);
  });

  test("all or none", () => {
    expect(ids.some((id) => controlTurn(id, 0) !== "none")).toBe(false);
    expect(ids.some((id) => controlTurn(id, 1) === "none")).toBe(false);
  });

  test("the drawn ones, next to the candidate's own replay, before or after it", async () => {
    const captures = several(40);
    const { order } = await replay({ captures, control: agree, share: 0.5 });
    const expected = captures.flatMap(({ id }, i) => {
      const own = `candidate ${i + 1}`;
      const twin = `control ${i + 1}`;
      return { none: [own], before: [twin, own], after: [own, twin] }[controlTurn(id, 0.5)];
    });
    expect(order).toEqual(expected);
    expect(order.filter((each) => each.startsWith("control")).length).toBeGreaterThan(5);
  });

  test("none that is targeted, or that the primary did not answer", async () => {
    const { order, summary } = await replay({
      captures: [capture(1, { sample: "targeted" }), capture(2, { status: 500 }), capture(3)],
      control: agree,
    });
    expect(order.filter((each) => each.startsWith("control"))).toEqual(["control 3"]);
    expect(summary.noise?.samples).toBe(1);
  });
});

describe("noise", () => {
  // The primary answers [x]; this control is off by 2^-10 for x = 3 and by 2^-8 for pairs of x = 4, a shape of its own.
  const pair = (x: number) => (x === 4 ? { responseBody: Buffer.from(answer(4, 4)) } : {});
  const noisy: Act = ({ x }, response) =>
    void response.end(x === 3 ? answer(3 + 2 ** -10) : x === 4 ? answer(4, 4 + 2 ** -8) : answer(x));
  const candidate: Act = ({ x }, response) =>
    void response.end(x === 4 ? answer(4, 4) : answer(x === 1 ? 1 + 2 ** -9 : x === 2 ? 2.5 : x));

  test("is what the control makes, by output and shape", async () => {
    const { summary, outcomes } = await replay({ captures: several(5, pair), control: noisy, candidate });
    expect(summary.noise).toEqual({
      samples: 5,
      mismatches: 2,
      errors: 0,
      outputs: [
        { name: "y", shape: [1, 1], samples: 4, p99Abs: 0, maxAbs: 2 ** -10, maxRel: 2 ** -10 / 3 },
        {
          name: "y",
          shape: [1, 2],
          samples: 1,
          p99Abs: expect.any(Number),
          maxAbs: 2 ** -8,
          maxRel: 2 ** -10,
        },
      ],
    });
    // The floor is 2^-8: 0.5 is above it, 2^-9 is not.
    expect(summary.outputs[0]).toMatchObject({ mismatches: 2, aboveNoise: 1 });
    expect(summary.latency.control?.p50).toBeGreaterThan(0);
    expect(outcomes.every(({ controlMs }) => controlMs !== null && controlMs > 0)).toBe(true);
  });

  test("delivered at once and again: counted once", async () => {
    const { summary } = await replay({
      captures: several(5, pair),
      control: noisy,
      candidate,
      deliveries: 5,
    });
    expect(summary.noise?.samples).toBe(5);
    expect(summary.noise?.outputs.map(({ samples }) => samples)).toEqual([4, 1]);
  });

  test("of a candidate that fails is measured all the same; its latency has no twin then", async () => {
    const { summary } = await replay({
      captures: several(3),
      control: agree,
      candidate: (_, response) => void response.writeHead(500).end(),
    });
    expect(summary).toMatchObject({ errorRate: 1, noise: { samples: 3, mismatches: 0 } });
    expect(summary.latency.control).toBeUndefined();
  });

  test("without a control it is not measured, not 0", async () => {
    const { summary, outcomes } = await replay({ captures: several(3), control: null });
    expect(summary.noise).toBeNull();
    expect(summary.outputs[0]!.aboveNoise).toBeNull();
    expect(outcomes.map(({ controlMs }) => controlMs)).toEqual([null, null, null]);
  });
});

describe("a control that fails never counts against the candidate", () => {
  const clean = { samples: 5, mismatches: 0, errorRate: 0, diffRate: 0 };

  test.each<[string, Act]>([
    ["with 500", (_, response) => void response.writeHead(500).end("boom")],
    ["by hanging up", (_, response) => void response.destroy()],
    ["by never answering", () => {}],
  ])("%s; after three in a row it is left alone", async (_, act) => {
    const { summary, outcomes, order } = await replay({ captures: several(5), control: act });
    expect(summary).toMatchObject({ ...clean, noise: { samples: 0, mismatches: 0, errors: 3, outputs: [] } });
    expect(order.filter((each) => each.startsWith("candidate"))).toHaveLength(5);
    expect(outcomes.map(({ controlMs }) => controlMs)).toEqual([...Array(3).fill(Infinity), null, null]);
    expect(outcomes.every(({ attempts }) => attempts === 1)).toBe(true);
    expect(summary.latency.control).toBeUndefined();
  });

  test("now and then", async () => {
    const { summary } = await replay({
      captures: several(5),
      control: ({ x }, response) => void (x % 2 ? response.end(answer(x)) : response.writeHead(500).end()),
    });
    expect(summary).toMatchObject({ ...clean, noise: { samples: 3, errors: 2 } });
  });

  test("with nonsense: that is noise", async () => {
    const { summary } = await replay({
      captures: several(2),
      control: (_, response) => void response.end("{"),
    });
    expect(summary).toMatchObject({ mismatches: 0, noise: { samples: 2, mismatches: 2, errors: 0 } });
  });

  test("with a secret that is not set", async () => {
    const { summary, order } = await replay({
      captures: several(5),
      control: agree,
      headers: { authorization: "nowhere" },
    });
    expect(summary).toMatchObject({ ...clean, noise: null });
    expect(order.filter((each) => each.startsWith("control"))).toEqual([]);
  });
});

test("decisions that changed are counted from → to", async () => {
  // Class 0 for x = 1 and 2, class 1 for 3 and 4; this candidate says 2, 2, 0 and 1.
  const scores = (best: number) => answer(...[0, 1, 2].map((place) => Number(place === best)));
  const says = [2, 2, 0, 1];
  const { summary } = await replay({
    captures: several(4, (x) => ({ responseBody: Buffer.from(scores(x <= 2 ? 0 : 1)) })),
    candidate: ({ x }, response) => void response.end(scores(says[x - 1]!)),
    control: null,
    policy: { outputs: { "*": { rule: "exact", decision: { type: "argmax" } } } },
    deliveries: 3,
  });
  expect(summary.decisionFlipRate).toBe(0.75);
  expect(summary.outputs[0]!.confusion).toEqual([
    { from: "0", to: "2", count: 2 },
    { from: "1", to: "0", count: 1 },
  ]);
});
