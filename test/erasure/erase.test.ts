import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { goOnErasing } from "../../src/erasure/erase.js";
import { erasureTargets } from "../../src/erasure/targets.js";
import { keyedHash } from "../../src/redaction/keyed-hash.js";
import { replayWork } from "../../src/replay/replay-work.js";
import { capture, openReplayWorld, type ReplayWorld, startCandidate } from "../replay/support.js";
import { wholeTime } from "../store/support.js";
import { filesWith, tablesWith } from "./support.js";

const key = "a-redaction-key-of-forty-characters-or-so";
const signal = new AbortController().signal;

let world: ReplayWorld;
beforeAll(async () => {
  world = await openReplayWorld();
});
afterAll(() => world.close());

const goOn = () =>
  goOnErasing({ erasing: world.store.erasing, blobs: world.blobs, log: pino({ level: "silent" }) }, signal);

/** Captures of which the second holds what is looked for, replayed to a candidate that quotes it. */
async function replayed(secret: string, over: { subject?: string; largeBytes?: number } = {}) {
  const candidate = await startCandidate(({ body }, response) => {
    const quoted = body.includes(secret) ? secret : "nothing";
    response.end(
      JSON.stringify({
        outputs: [{ name: "y", datatype: "BYTES", shape: [1], data: [quoted] }],
      }),
    );
  });
  const { deployment, candidates } = await world.addDeployment(candidate.url);
  const text = (value: string) =>
    Buffer.from(JSON.stringify({ inputs: [{ name: "x", datatype: "BYTES", shape: [1], data: [value] }] }));
  const said = (value: string) =>
    Buffer.from(
      JSON.stringify({ outputs: [{ name: "y", datatype: "BYTES", shape: [1], data: [`${value}!`] }] }),
    );
  const captures = ["a", secret, "c"].map((value, at) =>
    capture(at, {
      requestBody: text(value),
      responseBody: said(value),
      tags: { "x-request-id": `${value}-id` },
      subject: value === secret && over.subject ? keyedHash(key, deployment.id).subject(over.subject) : null,
    }),
  );
  const segment = await world.addSegment(deployment.id, captures, over.largeBytes);
  return { candidate, deployment, candidates, captures, segment };
}

async function everywhere(secret: string) {
  return [...(await filesWith(world.folder, secret)), ...(await tablesWith(world.url, secret))];
}

async function erase(deploymentId: number, what: Parameters<typeof erasureTargets>[0]) {
  const targets = erasureTargets(what, [deploymentId], key);
  const kind = "request" in what ? "request" : "subject";
  return world.store.erasures.create({ kind, deployment: null, targets });
}

const ways = [
  { how: "by its capture's id", what: (id: string) => ({ request: id }) },
  { how: "by its comparison's id", what: (id: string, run: number) => ({ request: `${id}.${run}` }) },
  {
    how: "by x-request-id",
    what: (_id: string, _run: number, secret: string) => ({ request: `${secret}-id` }),
  },
  { how: "by its subject", what: () => ({ subject: "someone" }) },
];

test.each(ways)("a request goes from everywhere, $how", async ({ what }) => {
  const secret = `secret-${randomUUID()}`;
  const { candidate, deployment, candidates, captures, segment } = await replayed(secret, {
    subject: "someone",
    largeBytes: 90,
  });
  expect((await replayWork(world.worker(), segment.workId, signal)).end).toBe("committed");
  await candidate.close();
  expect((await everywhere(secret)).length).toBeGreaterThan(4);
  const { id } = captures[1]!;
  const begun = await erase(deployment.id, what(id, candidates[0]!.liveRunId, secret));
  expect(begun).toMatchObject({ state: "running", found: 0 });
  expect(await goOn()).toBe(1);
  expect(await everywhere(secret)).toEqual([]);
  expect(await world.store.erasures.get(begun.id)).toMatchObject({
    state: "done",
    found: 1,
    erased: 1,
    proof: {
      captures: 1,
      left: 0,
      outcomes: 1,
      outcomesWithContents: 0,
      segments: 1,
      answerFiles: 1,
      foundInBlobs: 0,
    },
  });
  const ledger = await world.store.ledger.read(deployment.id, wholeTime);
  expect(ledger).toMatchObject({
    balanced: true,
    candidates: { c0: { compared: 2, erased: 1, pending: 0 } },
  });
  // The neighbours are as they were, and can be read.
  const left = await world.store.comparisons.get({
    captureId: captures[2]!.id,
    runId: candidates[0]!.liveRunId,
  });
  expect(left).toMatchObject({ result: "mismatch", capture: { tags: { "x-request-id": "c-id" } } });
  const gone = await world.store.comparisons.get({ captureId: id, runId: candidates[0]!.liveRunId });
  expect(gone).toMatchObject({ disposition: "erased", result: null, capture: null, outputs: [] });
  expect(await goOn()).toBe(0);
});

test("erased while a worker has it in hand: what it read before is not written", async () => {
  const secret = `secret-${randomUUID()}`;
  const { candidate, deployment, captures, segment } = await replayed(secret);
  let asked = 0;
  const slow = world.worker();
  const worker = {
    ...slow,
    answers: {
      ...slow.answers,
      async keep(...given: Parameters<typeof slow.answers.keep>) {
        const kept = await slow.answers.keep(...given);
        asked += 1;
        if (asked > 1) return kept;
        await erase(deployment.id, { request: captures[1]!.id });
        await goOn();
        return kept;
      },
    },
  };
  const end = await replayWork(worker, segment.workId, signal);
  await candidate.close();
  expect(asked).toBe(2);
  expect(candidate.received).toHaveLength(3);
  expect(end).toMatchObject({ end: "committed" });
  await goOn();
  expect(await everywhere(secret)).toEqual([]);
  const [{ state } = { state: "none" }] = await world.store.erasures.list({ before: null, limit: 1 });
  expect(state).toBe("done");
  const ledger = await world.store.ledger.read(deployment.id, wholeTime);
  expect(ledger).toMatchObject({
    balanced: true,
    candidates: { c0: { compared: 2, erased: 1, pending: 0 } },
  });
});

test("erased before it is replayed, and catalogued after: never sent, known as erased at once", async () => {
  const secret = `secret-${randomUUID()}`;
  const { candidate, deployment, captures, segment } = await replayed(secret);
  const late = capture(9, { requestBody: Buffer.from(secret), tags: { "x-request-id": "late-id" } });
  const { id } = await erase(deployment.id, { request: captures[1]!.id });
  const other = await erase(deployment.id, { request: "late-id" });
  await goOn();
  const second = await world.addSegment(deployment.id, [late, capture(10)]);
  expect(await tablesWith(world.url, "late-id")).toEqual([]);
  await goOn();
  expect(await world.store.erasures.get(other.id)).toMatchObject({ found: 1, erased: 1 });
  for (const { workId } of [segment, second]) await replayWork(world.worker(), workId, signal);
  await candidate.close();
  expect(candidate.received.map(({ body }) => body.toString()).join("")).not.toContain(secret);
  expect(candidate.received).toHaveLength(3);
  expect(await everywhere(secret)).toEqual([]);
  expect(await world.store.erasures.get(id)).toMatchObject({ state: "done" });
  const ledger = await world.store.ledger.read(deployment.id, wholeTime);
  expect(ledger).toMatchObject({
    balanced: true,
    candidates: { c0: { compared: 3, erased: 2, pending: 0 } },
  });
});
