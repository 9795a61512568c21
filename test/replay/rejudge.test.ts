import { existsSync, readdirSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, test } from "vitest";
import { createAnswerKeeper, keptAnswers } from "../../src/answers/keeper.js";
import type { KeepAnswers } from "../../src/answers/keeping.js";
import { createAnswerQuota } from "../../src/answers/quota.js";
import { sweepAnswers } from "../../src/answers/sweep.js";
import { type ReplayEnd, replayWork } from "../../src/replay/replay-work.js";
import type { TrialPolicy } from "../../src/store/policies.js";
import type { DeploymentChange, TimeRange } from "../../src/store/types.js";
import { noonMs, wholeTime } from "../store/support.js";
import {
  answer,
  capture,
  openReplayWorld,
  type Received,
  type ReplayWorld,
  startCandidate,
} from "./support.js";

const never = new AbortController().signal;
const numpy = (atol: number) => ({ outputs: { "*": { rule: "numpy", atol, rtol: 0 } } });

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

/** Answers x + 0.01 to even, x to odd inputs, and fails from 100 on. */
const act = ({ x }: Received, response: ServerResponse) => {
  if (x >= 100) response.writeHead(500).end("boom");
  else response.end(answer(x % 2 === 0 ? x + 0.01 : x));
};

/** A deployment with one candidate, whose segments of captures were replayed. */
async function replayed(settings: DeploymentChange, ...segments: number[][]) {
  const candidate = await startCandidate(act);
  onTestFinished(() => candidate.close());
  const added = await world.addDeployment(candidate.url);
  const { name } = await world.store.registry.updateDeployment(added.deployment.name, settings);
  const runId = added.candidates[0]!.liveRunId;
  const captures = segments.map((xs) => xs.map((x) => capture(x)));
  const works: bigint[] = [];
  for (const each of captures) {
    const { workId } = await world.addSegment(added.deployment.id, each);
    expect((await replayWork(world.worker(), workId, never)).end).toBe("committed");
    works.push(workId);
  }
  return { candidate, deployment: added.deployment, name, runId, captures, works };
}

type Replayed = Awaited<ReturnType<typeof replayed>>;

/** Opens a rejudge and has all its works done. */
async function tried(of: Replayed, policy: TrialPolicy, range: TimeRange = wholeTime) {
  const { store, prisma } = world;
  const run = await store.rejudges.open({ deployment: of.name, policy, sourceRunId: of.runId, range });
  const works = await prisma.work.findMany({ where: { runId: run.id }, orderBy: { id: "asc" } });
  const ends: ReplayEnd["end"][] = [];
  for (const { id } of works) ends.push((await replayWork(world.worker(), id, never)).end);
  return { run, works, ends, ...(await seriesOf(run.id)) };
}

async function seriesOf(runId: number) {
  const summary = await world.store.rollups.summary(runId, wholeTime);
  const counts = (series: string) => Object.fromEntries(summary.get(series)?.counts ?? []);
  return {
    results: counts("results"),
    dispositions: counts("dispositions"),
    before: counts("before/results"),
    changes: counts("changes"),
  };
}

const blobsOf = (of: Replayed) => {
  const folder = join(world.folder, "answers", String(of.deployment.id), "2026-11-20");
  return existsSync(folder) ? readdirSync(folder).sort() : [];
};

describe("which answers are kept", () => {
  // Of a match, a mismatch and a failure.
  test.each<[KeepAnswers, number]>([
    ["all", 3],
    ["divergent", 2],
    ["none", 0],
    [1, 3],
    [0, 0],
  ])("%s: %i of 3", async (keepAnswers, kept) => {
    const of = await replayed({ keepAnswers }, [1, 2, 100]);
    const work = await world.workState(of.works[0]!);
    expect(work.answersKept).toBe(kept);
    expect(blobsOf(of)).toEqual(kept === 0 ? [] : [`${work.id}-1.parquet`]);
    const progress = await world.store.rejudges.progress(of.runId);
    expect(progress).toMatchObject({
      deployment: of.name,
      candidate: "c0",
      works: { total: 1, pending: 0, done: 1, dead: 0 },
      captures: 3,
      answers: { kept, bytes: Number(work.answersBytes) },
    });
    if (kept === 0) {
      await expect(tried(of, { body: numpy(1) })).rejects.toMatchObject({ code: "conflict" });
      return;
    }
    const answers = await keptAnswers(world.blobs, { key: work.answersKey!, sha256: work.answersSha256! });
    const ids = of.captures[0]!.map(({ id }) => id);
    expect([...answers.keys()]).toEqual(kept === 3 ? ids : ids.slice(1));
    expect(answers.get(ids[2]!)).toMatchObject({ ok: false, failure: "http_5xx", status: 500 });
  });

  it("ends when the quota of the day is spent, and a rejudge says what share is left", async () => {
    const one = await replayed({}, [1, 2]);
    const bytes = Number((await world.workState(one.works[0]!)).answersBytes);
    // The digits of the latencies make a blob a little larger or smaller.
    const of = await replayed(
      { answersBytesPerDay: Math.round(2.2 * bytes) },
      [1, 2],
      [3, 4],
      [6, 8, 10, 12],
    );
    const works = await Promise.all(of.works.map((id) => world.workState(id)));
    expect(works.map(({ answersKept }) => answersKept)).toEqual([2, 2, 0]);
    const sum = works.reduce((total, { answersBytes }) => total + Number(answersBytes), 0);
    expect(await world.store.answers.keptBytes(of.deployment.id, "2026-11-20")).toBe(sum);
    expect(await world.store.answers.keptBytes(of.deployment.id, "2026-11-21")).toBe(0);
    const { dispositions, before, results } = await tried(of, { body: numpy(0.1) });
    expect(dispositions).toEqual({ compared: 4, "not_replayed:answer_not_kept": 4 });
    // Both are of the stored pairs alone: the four mismatches whose answers are gone are in neither.
    expect([before, results]).toEqual([{ match: 2, mismatch: 2 }, { match: 4 }]);
  });
});

describe("another policy on stored pairs", () => {
  it("lowers the diff rate without a single inference, beside a live run that stays as it is", async () => {
    const of = await replayed({}, [1, 2, 3, 4], [5, 6, 100]);
    const { store } = world;
    const asked = of.candidate.received.length;
    expect(asked).toBe(7);
    await store.alerts.createRule({
      name: of.name,
      deploymentId: of.deployment.id,
      candidateId: null,
      threshold: 0.1,
      windowMs: 60_000,
      minSamples: 1,
      webhookUrl: null,
      enabled: true,
    });
    // Whatever would be sent now could not be answered either.
    await of.candidate.close();
    const [ledger, summary] = [
      await store.ledger.read(of.deployment.id, wholeTime),
      await seriesOf(of.runId),
    ];
    expect(ledger.balanced).toBe(true);
    const { run, ends, ...rest } = await tried(of, { body: numpy(0.02) });
    expect(run).toMatchObject({ kind: "rejudge", sourceRunId: of.runId, policyVersion: 2 });
    expect(ends).toEqual(["committed", "committed"]);
    expect(rest).toMatchObject({
      before: { match: 3, mismatch: 3, candidate_error: 1 },
      results: { match: 6, candidate_error: 1 },
      changes: { "match>match": 3, "mismatch>match": 3, "candidate_error>candidate_error": 1 },
      dispositions: { compared: 6, "candidate_error:http_5xx": 1 },
    });
    expect(of.candidate.received.length).toBe(asked);

    expect(await store.ledger.read(of.deployment.id, wholeTime)).toEqual(ledger);
    expect(await seriesOf(of.runId)).toEqual(summary);
    const watched = (await store.alerts.watches()).filter(({ rule }) => rule.deployment === of.name);
    expect(watched.map(({ runId }) => runId)).toEqual([of.runId]);
    expect((await store.registry.getDeployment(of.name)).policy.version).toBe(1);
    expect((await store.registry.getCandidate(of.name, "c0")).liveRunId).toBe(of.runId);
    expect(await store.rejudges.progress(run.id)).toMatchObject({
      works: { total: 2, pending: 0, done: 2, dead: 0 },
      captures: 7,
      answers: { kept: 7 },
    });
    // A segment that comes later has work for the live run alone, and is judged by what was in force all along.
    const { workIds } = await world.addSegment(of.deployment.id, [capture(2)]);
    expect(workIds).toHaveLength(1);
    expect(await store.work.lease(workIds[0]!, "test", 1_000)).toMatchObject({
      runId: of.runId,
      policy: { outputs: { "*": { atol: 1e-6 } } },
    });
  });

  it("raises it as well; the outcomes are those of a replay", async () => {
    const of = await replayed({}, [1, 2]);
    const { run, results } = await tried(of, { body: { outputs: { "*": { rule: "exact" } } } });
    expect(results).toEqual({ match: 1, mismatch: 1 });
    const [old, again] = await Promise.all(
      [of.runId, run.id].map((runId) =>
        world.prisma.outcome.findMany({ where: { runId }, orderBy: { captureId: "asc" } }),
      ),
    );
    const same = ({ candidateMs, maxAbs, attempts, kind }: (typeof again & object)[number]) =>
      ({ candidateMs, maxAbs, attempts, kind }) as const;
    expect(again!.map(same)).toEqual(old!.map(same));
  });

  test("a version that is there is taken as it is; a body that is there is not put down again", async () => {
    const of = await replayed({}, [2]);
    await world.store.registry.setPolicy(of.name, numpy(0.5));
    expect((await tried(of, { version: 2 })).results).toEqual({ match: 1 });
    expect((await tried(of, { body: numpy(0.5) })).run.policyVersion).toBe(2);
    expect((await tried(of, { body: numpy(0.6) })).run.policyVersion).toBe(3);
    expect((await tried(of, { body: numpy(0.6) })).run.policyVersion).toBe(3);
    // A trial that is put in force then is a version of its own, since it opens new runs.
    expect((await world.store.registry.setPolicy(of.name, numpy(0.6))).version).toBe(4);
    await expect(tried(of, { version: 9 })).rejects.toMatchObject({ code: "not_found" });
  });

  test("only segments of the time that was asked for", async () => {
    const of = await replayed({}, [1, 2]);
    const none = { fromMs: noonMs + 86_400_000, toMs: null };
    await expect(tried(of, { body: numpy(1) }, none)).rejects.toMatchObject({ code: "conflict" });
    const { receivedAtMs } = of.captures[0]![1]!;
    const some = { fromMs: receivedAtMs, toMs: receivedAtMs + 1 };
    expect((await tried(of, { body: numpy(1) }, some)).ends).toEqual(["committed"]);
    await expect(tried(of, { body: numpy(1) }, { fromMs: null, toMs: noonMs })).rejects.toMatchObject({
      code: "conflict",
    });
  });

  test("what was judged again has no answers of its own", async () => {
    const of = await replayed({}, [1]);
    const { run } = await tried(of, { body: numpy(1) });
    await expect(tried({ ...of, runId: run.id }, { body: numpy(2) })).rejects.toMatchObject({
      code: "conflict",
      hint: expect.stringContaining(String(of.runId)),
    });
    await expect(tried({ ...of, runId: 999_999 }, { body: numpy(2) })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("is delivered twice, and by two at a time: once is what counts", async () => {
    const of = await replayed({}, [1, 2, 3]);
    const { store, prisma } = world;
    const open = { deployment: of.name, policy: { body: numpy(1) }, sourceRunId: of.runId, range: wholeTime };
    const run = await store.rejudges.open(open);
    const { id } = await prisma.work.findFirstOrThrow({ where: { runId: run.id } });
    const ends = await Promise.all([1, 2, 3].map(() => replayWork(world.worker(), id, never)));
    expect(ends.map(({ end }) => end).sort()).toEqual(["committed", "not_leased", "not_leased"]);
    expect((await replayWork(world.worker(), id, never)).end).toBe("not_leased");
    expect((await seriesOf(run.id)).results).toEqual({ match: 3 });
  });

  test("answers that are gone are told as such; answers that were changed end as dead", async () => {
    const of = await replayed({}, [1, 2], [3, 4]);
    const [gone, changed] = await Promise.all(of.works.map((id) => world.workState(id)));
    await world.blobs.delete(gone!.answersKey!);
    const bytes = await world.blobs.get(changed!.answersKey!);
    bytes[40]! ^= 1;
    await world.blobs.put(changed!.answersKey!, bytes);
    const { run, ends, dispositions } = await tried(of, { body: numpy(1) });
    expect(ends).toEqual(["committed", "dead"]);
    expect(dispositions).toEqual({ "not_replayed:answer_not_kept": 2, dead: 2 });
    const { works } = await world.store.rejudges.progress(run.id);
    expect(works).toEqual({ total: 2, pending: 0, done: 1, dead: 1 });
  });
});

describe("a lost lease", () => {
  it("leaves no answers: whoever lost it deletes what it wrote", async () => {
    const candidate = await startCandidate(act);
    onTestFinished(() => candidate.close());
    const { deployment, candidates } = await world.addDeployment(candidate.url);
    const { workId } = await world.addSegment(deployment.id, [capture(1)]);
    const late = world.worker();
    const { keep } = late.answers;
    const written: string[] = [];
    late.answers = {
      ...late.answers,
      async keep(work, answers) {
        const kept = await keep(work, answers);
        written.push(kept!.key);
        // Between the blob and the commit another worker takes over, and is done.
        await world.expire(workId);
        expect((await replayWork(world.worker(), workId, never)).end).toBe("committed");
        await world.blobs.get(kept!.key);
        return kept;
      },
    };
    expect((await replayWork(late, workId, never)).end).toBe("lease_lost");
    const work = await world.workState(workId);
    expect(written).toEqual([work.answersKey!.replace("-2.parquet", "-1.parquet")]);
    await expect(world.blobs.get(written[0]!)).rejects.toMatchObject({ code: "blob_missing" });
    expect((await world.blobs.get(work.answersKey!)).length).toBe(Number(work.answersBytes));
    const of = { name: deployment.name, runId: candidates[0]!.liveRunId } as Replayed;
    expect((await tried(of, { body: numpy(1) })).results).toEqual({ match: 1 });
  });

  it("of a worker that died is swept, in its time; what counts stays", async () => {
    const { store, prisma, blobs } = world;
    const of = await replayed({}, [1]);
    const { deployment } = of;
    const answers = createAnswerKeeper({
      blobs,
      quota: createAnswerQuota(store.answers),
      log: pino({ level: "silent" }),
    });
    /** A worker that writes its answers and is never heard of again. */
    async function die(workId: bigint) {
      const work = (await store.work.lease(workId, "dies", 60_000))!;
      const observation = {
        ok: true,
        status: 200,
        headers: {},
        body: Buffer.from("?"),
        latencyMs: 1,
      } as const;
      await answers.keep(work, [{ captureId: "x", observation: { ...observation, attempts: [] } }]);
      await world.expire(workId);
    }
    const { workId } = await world.addSegment(deployment.id, [capture(1), capture(2)]);
    await die(workId);
    await die(workId);
    // One more would be the second stall, at which a work is split.
    await prisma.work.update({ where: { id: workId }, data: { stalls: 0 } });
    expect((await replayWork(world.worker(), workId, never)).end).toBe("committed");
    const { workId: hopeless, blobKey } = await world.addSegment(deployment.id, [capture(1)]);
    await die(hopeless);
    await blobs.delete(blobKey);
    expect((await replayWork(world.worker(), hopeless, never)).end).toBe("dead");

    const first = `${of.works[0]}-1.parquet`;
    const counts = `${workId}-3.parquet`;
    const orphans = [`${workId}-1.parquet`, `${workId}-2.parquet`, `${hopeless}-1.parquet`];
    expect(blobsOf(of)).toEqual([first, counts, ...orphans].sort());
    await sweepAnswers({ store, blobs });
    expect(blobsOf(of)).toHaveLength(5);

    await prisma.$executeRaw`UPDATE work SET sweep_after = now() WHERE sweep_after IS NOT NULL`;
    await Promise.all([sweepAnswers({ store, blobs }), sweepAnswers({ store, blobs })]);
    expect(blobsOf(of)).toEqual([first, counts].sort());
    expect(await sweepAnswers({ store, blobs })).toBe(0);
    expect((await tried(of, { body: numpy(1) })).dispositions).toEqual({ compared: 3 });
  });
});

test("a blob store that takes nothing keeps no comparison from being made", async () => {
  const candidate = await startCandidate(act);
  onTestFinished(() => candidate.close());
  const { deployment } = await world.addDeployment(candidate.url);
  const { workId } = await world.addSegment(deployment.id, [capture(2)]);
  const full = { ...world.blobs, put: () => Promise.reject(new Error("ENOSPC")) };
  const log = pino({ level: "silent" });
  const answers = createAnswerKeeper({ blobs: full, quota: createAnswerQuota(world.store.answers), log });
  expect((await replayWork(world.worker({ answers }), workId, never)).end).toBe("committed");
  expect(await world.workState(workId)).toMatchObject({ answersKey: null, answersKept: 0 });
  expect((await world.outcomes(workId))[0]).toMatchObject({ result: "mismatch" });
});
