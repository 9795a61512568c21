import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config.js";
import { comparisonTensors, run as runSchema } from "../../src/control/api.js";
import { startControl } from "../../src/control/service.js";
import { formatComparisonId } from "../../src/ids.js";
import { replayWork } from "../../src/replay/replay-work.js";
import { createUpstream } from "../../src/upstream/client.js";
import { answer, capture, openReplayWorld, type ReplayWorld, startCandidate } from "../replay/support.js";
import { call } from "./support.js";

const never = new AbortController().signal;

let world: ReplayWorld;
let closeControl: () => Promise<void>;
let api: (method: string, path: string, body?: unknown) => ReturnType<typeof call>;
let path: string;
let runId: number;
let workId: bigint;
const captures = [capture(1), capture(2), capture(100)];

beforeAll(async () => {
  world = await openReplayWorld();
  const config = loadConfig({ UNDERSTUDY_CONTROL_PORT: "0", UNDERSTUDY_BLOBS: `file:${world.folder}` });
  const upstream = createUpstream({ config });
  const { store, blobs } = world;
  const control = await startControl({ config, log: pino({ level: "silent" }), store, blobs, upstream });
  closeControl = () => control.close().then(() => upstream.close());
  api = (method, at, body) => call(method, `${control.ready.url}/api/v1${at}`, { body });

  const candidate = await startCandidate(({ x }, response) => {
    if (x === 100) response.writeHead(500).end("boom");
    else response.end(answer(x === 2 ? 2.5 : x));
  });
  const { deployment, candidates } = await world.addDeployment(candidate.url);
  ({ workId } = await world.addSegment(deployment.id, captures));
  await replayWork(world.worker(), workId, never);
  await candidate.close();
  path = `/deployments/${deployment.name}/candidates/c0`;
  runId = candidates[0]!.liveRunId;
});
afterAll(async () => {
  await closeControl();
  await world.close();
});

const numpy = (atol: number) => ({ outputs: { "*": { rule: "numpy", atol, rtol: 0 } } });

/** Has a rejudge's works done by a worker. */
async function work(id: number) {
  const works = await world.prisma.work.findMany({ where: { runId: id, state: "pending" } });
  for (const { id } of works) await replayWork(world.worker(), id, never);
}

test("a rejudge is opened, shows how far it is, and stands beside the run it came from", async () => {
  const live = (await api("GET", `${path}/summary`)).body;
  const opened = await api("POST", `${path}/rejudge`, { policy: numpy(0.6) });
  expect(opened.status).toBe(201);
  expect(runSchema.parse(opened.body)).toEqual(opened.body);
  const { id } = opened.body;
  expect(opened.body).toMatchObject({
    kind: "rejudge",
    candidate: "c0",
    policyVersion: 2,
    sourceRun: runId,
    state: "closed",
    works: { total: 1, pending: 1, done: 0, dead: 0 },
    captures: 3,
    answers: { kept: 3 },
    policy: numpy(0.6),
    rejudge: { sourcePolicy: { version: 1 }, pairs: 0, stored: 0, storedShare: null, changes: [] },
  });
  await work(id);
  const done = (await api("GET", `/runs/${id}`)).body;
  expect(runSchema.parse(done)).toEqual(done);
  expect(done.works).toEqual({ total: 1, pending: 0, done: 1, dead: 0 });
  expect(done.rejudge).toMatchObject({
    pairs: 3,
    stored: 3,
    storedShare: 1,
    before: {
      samples: 2,
      mismatches: 1,
      diffRate: 0.5,
      errorRate: 1 / 3,
      outputs: [{ name: "y", compared: 2, mismatches: 1, kinds: { value: 1 } }],
    },
    after: { samples: 2, mismatches: 0, diffRate: 0, outputs: [{ name: "y", compared: 2, mismatches: 0 }] },
    changes: [{ from: "mismatch", to: "match", pairs: 1 }],
  });
  const { samples, mismatches, diffRate, errorRate } = done.rejudge.before;
  expect(live).toMatchObject({ run: runId, samples, mismatches, diffRate, errorRate });
  expect((await api("GET", `${path}/summary?run=${id}`)).body).toMatchObject({
    run: id,
    samples: 2,
    diffRate: 0,
  });
  expect((await api("GET", `${path}/summary`)).body).toEqual(live);
  expect((await api("GET", `${path}/comparisons?run=${id}&result=mismatch`)).body.items).toEqual([]);
  expect((await api("GET", `/runs/${runId}`)).body).toMatchObject({
    kind: "live",
    state: "open",
    rejudge: null,
  });
});

test.each([
  ["neither policy nor version", {}, 400, "policy"],
  ["both", { policy: numpy(1), policyVersion: 1 }, 400, "policy"],
  [
    "a policy that is none",
    { policy: { outputs: { y: { rule: "numpy", atol: -1 } } } },
    400,
    "policy.outputs.y.atol",
  ],
  ["an unknown field", { policyVersion: 1, until: 5 }, 400, ""],
  ["a time that is none", { policyVersion: 1, from: "yesterday" }, 400, "from"],
  ["a version that is none", { policyVersion: 0 }, 400, "policyVersion"],
  ["a version that is not there", { policyVersion: 77 }, 404, null],
  ["a run that is not there", { policyVersion: 1, run: 999_999 }, 404, null],
  ["a time without captures", { policyVersion: 1, to: "2026-11-20T11:00:00Z" }, 409, null],
])("what cannot be tried: %s", async (_, body, status, field) => {
  const answered = await api("POST", `${path}/rejudge`, body);
  expect(answered.status).toBe(status);
  if (field !== null) expect(answered.body.errors.map((e: { path: string }) => e.path)).toContain(field);
});

test("a run of another candidate, or of none", async () => {
  const other = await world.addDeployment("http://127.0.0.1:9");
  const foreign = other.candidates[0]!.liveRunId;
  expect((await api("POST", `${path}/rejudge`, { policyVersion: 1, run: foreign })).status).toBe(404);
  expect((await api("POST", `${path}x/rejudge`, { policyVersion: 1 })).status).toBe(404);
  for (const id of ["0", "x", "999999", "99999999999"]) {
    expect((await api("GET", `/runs/${id}`)).status).toBe(404);
  }
});

describe("tensors of the candidate", () => {
  const tensors = async (n: number, run = runId) =>
    (
      await api(
        "GET",
        `/comparisons/${formatComparisonId({ captureId: captures[n]!.id, runId: run })}/tensors`,
      )
    ).body;

  test("are those that it answered, in its own run and in one that judged it again", async () => {
    const opened = await api("POST", `${path}/rejudge`, {
      policyVersion: 1,
      from: captures[0]!.receivedAtMs,
    });
    await work(opened.body.id);
    for (const run of [runId, opened.body.id]) {
      const shown = await tensors(1, run);
      expect(comparisonTensors.parse(shown)).toEqual(shown);
      expect(shown.primary.tensors).toMatchObject([{ name: "y", values: [2] }]);
      expect(shown.candidate).toMatchObject({ tensors: [{ name: "y", values: [2.5] }], note: null });
    }
  });

  test("are none where it failed, and the note says how", async () => {
    const { candidate } = await tensors(2);
    expect(candidate).toEqual({ tensors: null, note: expect.stringMatching(/http_5xx.*boom/) });
  });

  test("are none once they are gone; changed ones are named as such", async () => {
    const { answersKey } = await world.workState(workId);
    const bytes = await world.blobs.get(answersKey!);
    const changed = Buffer.from(bytes);
    changed[50]! ^= 1;
    await world.blobs.put(answersKey!, changed);
    expect(await tensors(1)).toMatchObject({ status: 500, code: "blob_corrupt" });
    await world.blobs.delete(answersKey!);
    const shown = await tensors(1);
    expect(shown.primary.tensors).toHaveLength(1);
    expect(shown.candidate).toEqual({ tensors: null, note: expect.stringContaining("not kept") });
    await world.blobs.put(answersKey!, bytes);
  });
});

test("keepMatchDetails of a deployment is 1 until it is set", async () => {
  const deployment = path.split("/candidates")[0]!;
  expect((await api("GET", deployment)).body).toMatchObject({ keepMatchDetails: 1 });
  expect((await api("PATCH", deployment, { keepMatchDetails: 0.1 })).body).toMatchObject({
    keepMatchDetails: 0.1,
  });
});

describe("keepAnswers of a deployment", () => {
  const deployment = () => path.split("/candidates")[0]!;
  test.each(["divergent", "none", 0.25, 0, 1, "all"])("%s is taken", async (keepAnswers) => {
    const changed = await api("PATCH", deployment(), { keepAnswers, answersBytesPerDay: 1_000 });
    expect(changed.body).toMatchObject({ keepAnswers, answersBytesPerDay: 1_000 });
    expect((await api("GET", deployment())).body).toMatchObject({ keepAnswers, answersBytesPerDay: 1_000 });
  });

  test.each([
    [{ keepAnswers: "some" }, "keepAnswers"],
    [{ keepAnswers: 1.5 }, "keepAnswers"],
    [{ keepAnswers: null }, "keepAnswers"],
    [{ answersBytesPerDay: -1 }, "answersBytesPerDay"],
    [{ answersBytesPerDay: 0.5 }, "answersBytesPerDay"],
    [{ keepMatchDetails: 2 }, "keepMatchDetails"],
  ])("%j is not", async (body, field) => {
    const answered = await api("PATCH", deployment(), body);
    expect([answered.status, answered.body.errors[0].path]).toEqual([400, field]);
  });
});
