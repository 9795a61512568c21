import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import type { Capture } from "../../src/capture/capture.js";
import { newId } from "../../src/ids.js";
import { replayWork } from "../../src/replay/replay-work.js";
import { endpoint, newCandidate, newDeployment, noonMs } from "../store/support.js";
import { answer, capture, openReplayWorld, type ReplayWorld, startCandidate } from "./support.js";

const never = new AbortController().signal;

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

type Act = Parameters<typeof startCandidate>[0];
let names = 0;

/** A paced replay of captures that were received so many milliseconds apart, in one slice that is due now. */
async function onePacedWork(candidateActs: Act, controlActs: Act | null, captures: Capture[]) {
  const candidate = await startCandidate(candidateActs);
  const control = controlActs && (await startCandidate(controlActs));
  onTestFinished(async () => {
    await Promise.all([candidate.close(), control?.close()]);
  });
  const name = `paced-${++names}`;
  const deployment = await world.store.registry.createDeployment(
    newDeployment({ name, control: control && endpoint({ url: control.url }) }),
  );
  const given = newCandidate({ endpoint: endpoint({ url: candidate.url }) });
  await world.store.registry.addCandidate(name, given);
  const { workIds } = await world.addSegment(deployment.id, captures);
  await world.prisma.work.deleteMany({ where: { id: { in: workIds } } });
  const { runId } = await world.store.replays.open({
    deployment: name,
    target: { kind: "candidate", name: given.name },
    filter: {},
    speed: 1,
    concurrency: 64,
    ratePerSecond: null,
    onFailure: "skip",
  });
  await world.store.replays.conduct();
  const { id: workId } = await world.prisma.work.findFirstOrThrow({ where: { runId } });
  return { candidate, control, deployment, runId, workId };
}

const apart = (ms: number, n: number) =>
  Array.from({ length: n }, (_, x) => {
    const receivedAtMs = noonMs + x * ms;
    return capture(x, { id: newId(receivedAtMs), receivedAtMs });
  });

it("a work that is stopped while its control is asked ends with the reason, and is heard", async () => {
  const unheard: unknown[] = [];
  const hear = (reason: unknown) => unheard.push(reason);
  process.on("unhandledRejection", hear);
  onTestFinished(() => void process.off("unhandledRejection", hear));
  // The first is answered, and the control asked; the second keeps the slice from its end.
  const { control, workId } = await onePacedWork(
    ({ x }, response) => void (x === 0 && response.end("{}")),
    () => {},
    apart(10, 2),
  );
  const stop = new AbortController();
  const ends = replayWork(world.worker({ controlShare: 1 }), workId, stop.signal);
  const refused = expect(ends).rejects.toThrow("time to go");
  await vi.waitFor(() => expect(control!.received.length).toBe(1), { timeout: 10_000 });
  stop.abort(new Error("time to go"));
  await refused;
  expect(unheard).toEqual([]);
  expect(await world.workState(workId)).toMatchObject({ state: "pending" });
});

it("stands still while the candidate is away, and goes on where it was", async () => {
  let away = true;
  const { candidate, runId, workId } = await onePacedWork(
    ({ x, path }, response) => {
      if (away) response.socket!.resetAndDestroy();
      else response.end(path.endsWith("/infer") ? answer(x) : JSON.stringify({ name: "m" }));
    },
    null,
    apart(20, 10),
  );
  const deps = world.worker();
  const { replays } = world.store;
  expect((await replayWork(deps, workId, never)).end).toBe("put_off");
  // Not by the breaker alone: it was sent some, and they failed.
  expect(candidate.received.some(({ path }) => path.endsWith("/infer"))).toBe(true);
  expect(await replays.get(runId)).toMatchObject({
    state: "running",
    lineAtMs: null,
    interruptions: 1,
    pending: 10,
  });
  expect(await world.outcomes(workId)).toEqual([]);
  away = false;
  await vi.waitFor(async () => expect((await replayWork(deps, workId, never)).end).toBe("committed"), {
    timeout: 10_000,
    interval: 200,
  });
  const rows = await world.outcomes(workId);
  expect(rows.map(({ disposition }) => disposition)).toEqual(Array(10).fill("compared"));
});
