import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Capture } from "../../src/capture/capture.js";
import type { FlowChange } from "../../src/replay/flow.js";
import { replayWork } from "../../src/replay/replay-work.js";
import { wholeTime } from "../store/support.js";
import { answer, capture, openReplayWorld, type ReplayWorld, startCandidate } from "./support.js";

const never = new AbortController().signal;

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

type Act = Parameters<typeof startCandidate>[0];

/** A candidate that acts so, with these settings, and one work for it. */
async function oneWork(flow: FlowChange, captures: Capture[], act: Act) {
  const candidate = await startCandidate(act);
  const { deployment, candidates } = await world.addDeployment(candidate.url);
  const { name } = deployment;
  const { liveRunId } = await world.store.registry.changeCandidate(name, candidates[0]!.name, { flow });
  const { workId } = await world.addSegment(deployment.id, captures);
  const counts = async () =>
    (await world.store.rollups.summary(liveRunId, wholeTime)).get("dispositions")?.counts ?? new Map();
  return { candidate, deployment, name, workId, counts };
}

const numbered = (n: number) => Array.from({ length: n }, (_, x) => capture(x));

describe("concurrency", () => {
  // Each row: what the settings say, how many requests the candidate saw at once.
  it.each([
    [{}, 1],
    [{ concurrency: 3 }, 3],
  ])(
    "of %j is as many requests at a time, over all works, and outcomes stay with their captures",
    async (flow, most) => {
      let now = 0;
      let peak = 0;
      const { candidate, deployment, workId } = await oneWork(flow, numbered(8), async ({ x }, response) => {
        now += 1;
        peak = Math.max(peak, now);
        await sleep(20);
        now -= 1;
        response.end(answer(x === 5 ? 99 : x));
      });
      const { workId: another } = await world.addSegment(deployment.id, numbered(8));
      const deps = world.worker();
      const ends = await Promise.all([workId, another].map((id) => replayWork(deps, id, never)));
      expect(ends.map(({ end }) => end)).toEqual(["committed", "committed"]);
      expect(peak).toBe(most);
      const results = (await world.outcomes(workId)).map(({ result }) => result);
      expect(results).toEqual(numbered(8).map((_, x) => (x === 5 ? "mismatch" : "match")));
      await candidate.close();
    },
  );
});

it("a rate is kept over works", async () => {
  const starts: number[] = [];
  const { candidate, workId } = await oneWork(
    { concurrency: 8, ratePerSecond: 50 },
    numbered(11),
    ({ x }, response) => {
      starts.push(performance.now());
      response.end(answer(x));
    },
  );
  await replayWork(world.worker(), workId, never);
  // Never sooner than the rate allows; how much later is the machine's matter.
  expect(starts.at(-1)! - starts[0]!).toBeGreaterThan(10 * 20 - 50);
  await candidate.close();
});

it("a deadline of its own ends a request", async () => {
  const { candidate, workId } = await oneWork({ deadlineMs: 50 }, [capture(1)], () => {});
  await replayWork(world.worker({ replayTimeoutMs: 60_000 }), workId, never);
  expect(await world.outcomes(workId)).toMatchObject([{ disposition: "candidate_error", reason: "timeout" }]);
  await candidate.close();
});

describe("retries", () => {
  // Each row: settings, status, Retry-After, how often it is asked.
  it.each([
    [{ max: 4, backoffMs: 1 }, 503, undefined, 5],
    [{ max: 0 }, 503, undefined, 1],
    [{ max: 4, backoffMs: 1 }, 500, undefined, 1],
    [{ max: 1, backoffMs: 1, retryAfterMsMax: 900 }, 429, "1", 1],
  ])("%j after a %i with Retry-After %s: asked %i times", async (retries, status, after, asked) => {
    const { candidate, workId } = await oneWork({ retries }, [capture(1)], (_, response) => {
      response.writeHead(status, after === undefined ? {} : { "retry-after": after }).end();
    });
    await replayWork(world.worker({ replayTimeoutMs: 20_000 }), workId, never);
    expect(candidate.received.length).toBe(asked);
    expect((await world.outcomes(workId))[0]).toMatchObject({ attempts: asked });
    await candidate.close();
  });

  it("wait as long as Retry-After says", async () => {
    const times: number[] = [];
    const { candidate, workId } = await oneWork(
      { retries: { max: 1, backoffMs: 1 } },
      [capture(1)],
      ({ x }, response) => {
        times.push(performance.now());
        if (times.length === 1) response.writeHead(503, { "retry-after": "1" }).end();
        else response.end(answer(x));
      },
    );
    await replayWork(world.worker({ replayTimeoutMs: 20_000 }), workId, never);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(990);
    expect(await world.outcomes(workId)).toMatchObject([{ result: "match", attempts: 2 }]);
    await candidate.close();
  });
});

it("captures that are too old expire, and are counted; the others are replayed", async () => {
  const old = { receivedAtMs: Date.now() - 3_600_000 };
  const young = { receivedAtMs: Date.now() };
  const { candidate, workId, counts } = await oneWork(
    { maxAgeMs: 600_000 },
    [capture(1, old), capture(2, young), capture(3, old)],
    ({ x }, response) => response.end(answer(x)),
  );
  await replayWork(world.worker(), workId, never);
  expect(candidate.received.map(({ x }) => x)).toEqual([2]);
  expect(await counts()).toEqual(
    new Map([
      ["compared", 1],
      ["expired", 2],
    ]),
  );
  await candidate.close();
});

describe("a candidate that is away", () => {
  it("has its works put off, blamed for nothing, and done when it is back", async () => {
    let away = true;
    const { candidate, name, workId, counts } = await oneWork(
      { breakerFailures: 3 },
      numbered(10),
      ({ x, path }, response) => {
        if (away) response.socket!.resetAndDestroy();
        else response.end(path.endsWith("/infer") ? answer(x) : JSON.stringify({ name: "m0" }));
      },
    );
    const changes: [string, boolean][] = [];
    const deps = world.worker({ onBreaker: (...change) => changes.push(change) });
    const first = await replayWork(deps, workId, never);
    expect(first).toMatchObject({ end: "put_off" });
    // Three inferences failed, and then the question whether it is there.
    expect(candidate.received.filter(({ path }) => path.endsWith("/infer")).length).toBe(3);
    expect(candidate.received.length).toBeGreaterThan(3);
    const asked = candidate.received.length;
    expect(await replayWork(deps, workId, never)).toMatchObject({ end: "put_off" });
    expect(candidate.received.length).toBe(asked);
    expect(await counts()).toEqual(new Map());
    expect(await world.workState(workId)).toMatchObject({ state: "pending", stalls: 0 });
    const [told] = await world.store.registry.listCandidates(name);
    expect(told!.breaker).toMatchObject({ workers: 1, reason: expect.stringContaining("does not answer") });

    away = false;
    await vi.waitFor(
      async () => expect(await replayWork(deps, workId, never)).toMatchObject({ end: "committed" }),
      { timeout: 10_000, interval: 200 },
    );
    expect(await counts()).toEqual(new Map([["compared", 10]]));
    expect((await world.store.registry.listCandidates(name))[0]!.breaker).toBeNull();
    expect(changes).toEqual([
      [`${name}/c0`, true],
      [`${name}/c0`, false],
    ]);
    await candidate.close();
  });

  it("is told from one that fails on certain requests: those count", async () => {
    const { candidate, workId, counts } = await oneWork(
      { breakerFailures: 2 },
      numbered(6),
      ({ x, path }, response) => {
        if (!path.endsWith("/infer")) return void response.end(JSON.stringify({ name: "m0" }));
        if (x < 4) return void response.socket!.resetAndDestroy();
        response.end(answer(x));
      },
    );
    expect((await replayWork(world.worker(), workId, never)).end).toBe("committed");
    expect(await counts()).toEqual(
      new Map([
        ["candidate_error:network", 4],
        ["compared", 2],
      ]),
    );
    await candidate.close();
  });

  it("does not keep captures from expiring", async () => {
    const captures = [capture(1, { receivedAtMs: Date.now() - 1_500 })];
    const { candidate, name, workId, counts } = await oneWork(
      { breakerFailures: 1, maxAgeMs: 600_000 },
      captures,
      (_, response) => response.socket!.resetAndDestroy(),
    );
    const deps = world.worker();
    expect((await replayWork(deps, workId, never)).end).toBe("put_off");
    await world.store.registry.changeCandidate(name, "c0", { flow: { maxAgeMs: 1_000 } });
    await vi.waitFor(async () => expect((await replayWork(deps, workId, never)).end).toBe("committed"), {
      timeout: 10_000,
      interval: 200,
    });
    expect(await counts()).toEqual(new Map([["expired", 1]]));
    await candidate.close();
  });
});
