import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import type { Child } from "../../src/process/child.js";
import {
  addRecorded,
  openServedWorld,
  type ServedWorld,
  startV2Candidate,
  understudy,
} from "../gate/served.js";
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

/** Fails some requests, answers others wrongly, and the rest as the primary did. */
async function candidate(fails: (x: number) => boolean, isWrong: (x: number) => boolean) {
  const started = await startV2Candidate(({ x }, response) => {
    if (fails(x)) response.writeHead(500).end("{}");
    else response.end(answer(isWrong(x) ? x + 1 : x));
  });
  onTestFinished(() => started.close());
  return started.url;
}

test("candidates are compared on the members that all of them answered", async () => {
  // The first is wrong where the second fails: on what both answered it is never wrong.
  const { name, deployment } = await addRecorded(
    world,
    200,
    await candidate(
      (x) => x >= 190,
      (x) => x < 20,
    ),
    await candidate(
      (x) => x < 20,
      (x) => x < 40,
    ),
    await candidate(
      () => false,
      () => false,
    ),
  );
  await world.store.selections.create({ deployment: name, name: "all", filter: {}, seal: true });
  const compare = () => understudy(world.origin, ["selection", "compare", name, "all", "--json"]);
  expect(JSON.parse((await compare()).stdout)).toMatchObject({ members: 200, common: 0, candidates: [] });

  for (const to of ["c0", "c1"]) {
    const ended = await understudy(world.origin, [
      ...["replay", name, "--candidate", to],
      ...["--selection", "all", "--pace", "max"],
    ]);
    expect(ended.code).toBe(0);
  }
  const two = JSON.parse((await compare()).stdout);
  expect(two).toMatchObject({
    common: 170,
    candidates: [
      { candidate: "c0", finished: 200, answered: 190, failed: 10, samples: 170, mismatches: 0, diffRate: 0 },
      { candidate: "c1", finished: 200, answered: 180, failed: 20, samples: 170, mismatches: 20 },
    ],
    outdated: [],
  });
  expect(two.candidates[1].diffRate).toBeCloseTo(20 / 170);
  expect(two.candidates[1].p99Ms).toBeGreaterThan(0);

  // A second replay that was cancelled hides nothing of one that is done.
  const { runId } = await world.store.replays.open({
    deployment: name,
    target: { kind: "candidate", name: "c0" },
    selection: "all",
    filter: {},
    speed: null,
    concurrency: 8,
    ratePerSecond: null,
    onFailure: "skip",
  });
  await world.store.replays.cancel(runId);
  const { details: _, ...one } = await world.prisma.outcome.findFirstOrThrow({
    where: { runId: two.candidates[0].run },
  });
  await world.prisma.outcome.createMany({ data: { ...one, runId }, skipDuplicates: true });
  expect(JSON.parse((await compare()).stdout)).toMatchObject({ common: 170, beyond: [] });

  // A gate's replay counts as well, as far as it came.
  await understudy(world.origin, [
    ...["gate", name, "--candidate", "c2", "--selection", "all"],
    ...["--max-diff-rate", "0%", "--min-samples", "100"],
  ]);
  const { stdout } = await understudy(world.origin, ["selection", "compare", name, "all"]);
  expect(stdout).toMatch(/of 200 members 170 were answered by all of 3 candidates/);
  expect(stdout).toMatch(/^c1 +180 +20 +11\.76 %/m);

  await world.store.registry.setPolicy(deployment.name, { outputs: { "*": { rule: "exact" } } });
  await vi.waitFor(
    async () =>
      expect(JSON.parse((await compare()).stdout)).toMatchObject({
        candidates: [],
        outdated: ["c0", "c1", "c2"],
      }),
    { timeout: 30_000 },
  );
});

test.each<[string, RegExp]>([
  ["nothing", /has no selection named "nothing"/],
  ["open", /The selection open is not sealed/],
])("%s: 2", async (selection, said) => {
  const { name } = await addRecorded(world, 10, "http://127.0.0.1:9");
  await world.store.selections.create({ deployment: name, name: "open", filter: {}, seal: false });
  const ended = await understudy(world.origin, ["selection", "compare", name, selection]);
  expect([ended.code, ended.stdout]).toEqual([2, ""]);
  expect(ended.stderr).toMatch(said);
});

test("a selection is deleted, unless a gate judged it; replays of it that have ended stay", async () => {
  const { name, deployment, candidates } = await addRecorded(world, 10, "http://127.0.0.1:9");
  const { selections, replays, gates } = world.store;
  const seal = (called: string) =>
    selections.create({ deployment: name, name: called, filter: {}, seal: true });
  const run = (called: string) => understudy(world.origin, ["selection", "delete", name, called]);
  await seal("replayed");
  const judged = await seal("judged");
  const { runId } = await replays.open({
    deployment: name,
    target: { kind: "candidate", name: candidates[0]!.name },
    selection: "replayed",
    filter: {},
    speed: null,
    concurrency: 1,
    ratePerSecond: null,
    onFailure: "skip",
  });
  await gates.create({
    deploymentId: deployment.id,
    candidateId: candidates[0]!.id,
    runId,
    author: "ada",
    selectionId: judged.id,
    request: {},
  });
  const goesOn = await run("replayed");
  expect([goesOn.code, goesOn.stdout]).toEqual([2, ""]);
  expect(goesOn.stderr).toContain(`Replay ${runId} of the selection replayed goes on`);
  await replays.cancel(runId);
  expect(await run("replayed")).toMatchObject({ code: 0, stdout: expect.stringContaining("deleted") });
  expect(await replays.get(runId)).toMatchObject({ state: "cancelled", selection: null });
  expect(await run("judged")).toMatchObject({ code: 2, stderr: expect.stringContaining("is evidence") });
  expect((await selections.list(name)).map((each) => each.name)).toEqual(["judged"]);
});
