import { createHash } from "node:crypto";
import { appendFile, rm, truncate, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test, vi } from "vitest";
import type { Capture } from "../../src/capture/capture.js";
import { replayInTurn } from "../../src/replay/replay-in-turn.js";
import { replayWork } from "../../src/replay/replay-work.js";
import { wholeTime } from "../store/support.js";
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

/** Replays captures to a candidate that acts so; returns what was written. */
async function replay(captures: Capture[], act: Act) {
  const candidate = await startCandidate(act);
  const { deployment, candidates } = await world.addDeployment(candidate.url);
  const { workId } = await world.addSegment(deployment.id, captures);
  const report = await replayWork(world.worker(), workId, never);
  await candidate.close();
  const summary = await world.store.rollups.summary(candidates[0]!.liveRunId, wholeTime);
  return { report, workId, received: candidate.received, outcomes: await world.outcomes(workId), summary };
}

describe("one capture", () => {
  // Each row: what was captured, what the candidate does, what is written, how often the candidate was asked.
  test.each<[string, Partial<Capture>, Act, object, number]>([
    ["that agrees", {}, agree, { disposition: "compared", result: "match", kind: null, maxAbs: 0 }, 1],
    [
      "that differs",
      {},
      (_, r) => r.end(answer(1.5)),
      { disposition: "compared", result: "mismatch", kind: "value", maxAbs: 0.5 },
      1,
    ],
    [
      "of another shape",
      {},
      (_, r) => r.end(answer(1, 2)),
      { disposition: "compared", result: "mismatch", kind: "shape" },
      1,
    ],
    [
      "answered with nonsense",
      {},
      (_, r) => r.end("{"),
      { disposition: "compared", result: "mismatch", kind: "undecodable" },
      1,
    ],
    [
      "answered with 500",
      {},
      (_, r) => r.writeHead(500).end("boom"),
      {
        disposition: "candidate_error",
        reason: "http_5xx",
        result: "incomparable",
        kind: "http_5xx",
        candidateMs: null,
      },
      1,
    ],
    [
      "not answered",
      {},
      () => {},
      { disposition: "candidate_error", reason: "timeout", result: "incomparable" },
      1,
    ],
    [
      "reset",
      {},
      (_, r) => r.socket!.resetAndDestroy(),
      { disposition: "candidate_error", reason: "network", result: "incomparable" },
      1,
    ],
    [
      "answered at too great a length",
      {},
      (_, r) => r.end("x".repeat(100_001)),
      { disposition: "candidate_error", reason: "too_large", result: "incomparable" },
      1,
    ],
    [
      "throttled",
      {},
      (_, r) => r.writeHead(429).end(),
      { disposition: "candidate_error", reason: "throttled", result: "incomparable", attempts: 3 },
      3,
    ],
    [
      "that the primary failed, and the candidate answers",
      { status: 500, responseBody: Buffer.from("boom") },
      agree,
      { disposition: "compared", reason: null, result: "incomparable", kind: "primary_failed" },
      1,
    ],
    [
      "that both fail",
      { status: 400 },
      (_, r) => r.writeHead(400).end(),
      { disposition: "compared", reason: null, result: "incomparable", kind: "both_failed" },
      1,
    ],
    [
      "of which the primary's answer cannot be read",
      { responseBody: Buffer.from("{") },
      agree,
      { disposition: "compared", result: "incomparable", kind: "primary_undecodable" },
      1,
    ],
  ])("%s", async (_, over, act, expected, asked) => {
    const { report, outcomes, received, summary } = await replay([capture(1, over)], act);
    expect(report.end).toBe("committed");
    expect(outcomes).toEqual([expect.objectContaining(expected)]);
    expect(received.length).toBe(asked);
    const [told] = outcomes;
    const label = told!.disposition === "compared" ? "compared" : `${told!.disposition}:${told!.reason}`;
    expect(summary.get("dispositions")?.counts).toEqual(new Map([[label, 1]]));
  });

  it("keeps all attempts, and what was said", async () => {
    const { outcomes } = await replay([capture(1)], (_, r) => void r.writeHead(503).end("later"));
    expect(outcomes[0]!.details).toMatchObject({
      message: "status 503: later",
      attempts: [{ failure: "throttled", status: 503 }, { failure: "throttled" }, { failure: "throttled" }],
    });
  });

  it("goes out as it came in, to the candidate's own model", async () => {
    const body = Buffer.from([0, 1, 2, 255, 254, 0]);
    const { received } = await replay(
      [
        capture(1, {
          requestHeaders: {
            "content-type": "application/octet-stream",
            "inference-header-content-length": "3",
            "x-tag": "kept out",
          },
          requestBody: body,
        }),
      ],
      (_, r) => r.end(answer(1)),
    );
    expect(received[0]).toMatchObject({
      path: "/v2/models/m0/versions/3/infer",
      headers: { "content-type": "application/octet-stream", "inference-header-content-length": "3" },
    });
    expect(received[0]!.headers).not.toHaveProperty("x-tag");
    expect(received[0]!.body).toEqual(body);
  });
});

it("counts targeted captures in the ledger alone", async () => {
  const { outcomes, summary } = await replay([capture(1), capture(2, { sample: "targeted" })], agree);
  expect(outcomes.map(({ sample }) => sample)).toEqual(["base", "targeted"]);
  expect(summary.get("dispositions")?.counts).toEqual(new Map([["compared", 2]]));
  expect(summary.get("results")?.counts).toEqual(new Map([["match", 1]]));
});

it("replays only the rows of its work", async () => {
  const candidate = await startCandidate(agree);
  const { deployment } = await world.addDeployment(candidate.url);
  const { workId } = await world.addSegment(
    deployment.id,
    [1, 2, 3, 4].map((x) => capture(x)),
  );
  await world.prisma.$executeRaw`UPDATE work SET first_row = 1, rows = 2 WHERE id = ${workId}`;
  expect((await replayWork(world.worker(), workId, never)).end).toBe("committed");
  expect(candidate.received.map(({ x }) => x)).toEqual([2, 3]);
  await candidate.close();
});

describe("a work delivered more than once", () => {
  it("is done once, whoever takes it", async () => {
    const candidate = await startCandidate(agree);
    const { deployment, candidates } = await world.addDeployment(candidate.url);
    const captures = [1, 2, 3, 4, 5].map((x) => capture(x));
    const { workId } = await world.addSegment(deployment.id, captures);
    const workers = [world.worker(), world.worker()];
    const ends = await Promise.all(
      Array.from({ length: 100 }, (_, n) => replayWork(workers[n % 2]!, workId, never)),
    );
    expect(ends.filter(({ end }) => end === "committed").length).toBe(1);
    const idle = ends.filter(({ end }) => end === "not_leased" || end === "busy");
    expect(idle.length).toBe(99);
    expect((await replayWork(world.worker(), workId, never)).end).toBe("not_leased");
    expect((await world.outcomes(workId)).length).toBe(5);
    const summary = await world.store.rollups.summary(candidates[0]!.liveRunId, wholeTime);
    expect(summary.get("results")?.counts).toEqual(new Map([["match", 5]]));
    await candidate.close();
  });

  it("is written by the newest lease alone, when a worker wakes up late", async () => {
    const gates: (() => void)[] = [];
    const candidate = await startCandidate(({ x }, response) => {
      gates.push(() => response.end(answer(x)));
    });
    const { deployment, candidates } = await world.addDeployment(candidate.url);
    const { workId } = await world.addSegment(deployment.id, [capture(1)]);
    const late = replayWork(world.worker({ replayTimeoutMs: 30_000 }), workId, never);
    await vi.waitFor(() => expect(gates.length).toBe(1), { timeout: 30_000 });
    await world.expire(workId);
    const heir = replayWork(world.worker({ replayTimeoutMs: 30_000 }), workId, never);
    await vi.waitFor(() => expect(gates.length).toBe(2), { timeout: 30_000 });
    gates[1]!();
    expect((await heir).end).toBe("committed");
    gates[0]!();
    expect((await late).end).toBe("lease_lost");
    expect((await world.outcomes(workId)).length).toBe(1);
    const summary = await world.store.rollups.summary(candidates[0]!.liveRunId, wholeTime);
    expect(summary.get("results")?.counts).toEqual(new Map([["match", 1]]));
    await candidate.close();
  });

  it("gives up by itself once it learns that its lease is lost", async () => {
    const candidate = await startCandidate(() => {});
    const { deployment } = await world.addDeployment(candidate.url);
    const { workId } = await world.addSegment(deployment.id, [capture(1)]);
    const late = replayWork(world.worker({ replayTimeoutMs: 600_000 }), workId, never);
    await vi.waitFor(() => expect(candidate.received.length).toBe(1), { timeout: 30_000 });
    await world.expire(workId);
    expect(await world.store.work.lease(workId, "another", 60_000)).not.toBeNull();
    expect((await late).end).toBe("lease_lost");
    expect((await world.workState(workId)).leasedBy).toBe("another");
    await candidate.close();
  });

  it("commits once although the answer to the first commit was lost", async () => {
    const candidate = await startCandidate(agree);
    const { deployment, candidates } = await world.addDeployment(candidate.url);
    const { workId } = await world.addSegment(deployment.id, [capture(1)]);
    let commits = 0;
    const { store } = world;
    const deps = world.worker({
      store: {
        work: store.work,
        outcomes: {
          async commitWork(commit) {
            const end = await store.outcomes.commitWork(commit);
            commits += 1;
            if (commits === 1) throw new Error("connection lost");
            return end;
          },
        },
      },
    });
    expect((await replayWork(deps, workId, never)).end).toBe("committed");
    expect(commits).toBe(2);
    const summary = await store.rollups.summary(candidates[0]!.liveRunId, wholeTime);
    expect(summary.get("results")?.counts).toEqual(new Map([["match", 1]]));
    await candidate.close();
  });
});

it("a job comes up again while its work is in other hands, and no more once it is done", async () => {
  const candidate = await startCandidate(agree);
  const { deployment } = await world.addDeployment(candidate.url);
  const { workId } = await world.addSegment(deployment.id, [capture(1)]);
  expect(await world.store.work.lease(workId, "another", 60_000)).not.toBeNull();
  const take = () => replayInTurn(world.worker(), workId, never, () => {});
  expect(await take()).toEqual(expect.any(Number));
  await world.expire(workId);
  expect(await take()).toBeNull();
  expect((await world.workState(workId)).state).toBe("done");
  expect(await take()).toBeNull();
  await candidate.close();
});

it("keeps its lease however long the candidate takes", async () => {
  const candidate = await startCandidate(({ x }, response) => {
    setTimeout(() => response.end(answer(x)), 9_000);
  });
  const { deployment } = await world.addDeployment(candidate.url);
  const { workId } = await world.addSegment(deployment.id, [capture(1)]);
  const replaying = replayWork(world.worker({ replayTimeoutMs: 30_000 }), workId, never);
  await vi.waitFor(() => expect(candidate.received.length).toBe(1), { timeout: 30_000 });
  const { leaseUntil } = await world.workState(workId);
  await vi.waitFor(async () => expect((await world.workState(workId)).leaseUntil! > leaseUntil!).toBe(true), {
    timeout: 8_000,
  });
  expect((await replaying).end).toBe("committed");
  expect((await world.workState(workId)).lease).toBe(1);
  await candidate.close();
});

describe("a work is handed back", () => {
  it("when it is called off", async () => {
    const candidate = await startCandidate(() => {});
    const { deployment } = await world.addDeployment(candidate.url);
    const { workId } = await world.addSegment(deployment.id, [capture(1)]);
    const calledOff = new AbortController();
    const replaying = replayWork(world.worker({ replayTimeoutMs: 60_000 }), workId, calledOff.signal);
    await vi.waitFor(() => expect(candidate.received.length).toBe(1), { timeout: 30_000 });
    calledOff.abort(new Error("closing"));
    await expect(replaying).rejects.toThrow();
    expect(await world.workState(workId)).toMatchObject({ state: "pending", leaseUntil: null });
    expect(await world.outcomes(workId)).toEqual([]);
    await candidate.close();
  });

  it("when something is wrong on our side", async () => {
    const { deployment } = await world.addDeployment("http://127.0.0.1:9");
    const { workId } = await world.addSegment(deployment.id, [capture(1)]);
    const deps = world.worker({
      blobs: {
        put: () => Promise.reject(new Error("EIO")),
        get: () => Promise.reject(new Error("EIO")),
        delete: () => Promise.reject(new Error("EIO")),
      },
    });
    await expect(replayWork(deps, workId, never)).rejects.toThrow("EIO");
    expect(await world.workState(workId)).toMatchObject({ state: "pending", leaseUntil: null });
  });
});

describe("a segment that is not what was catalogued", () => {
  test.each<[string, string, (path: string, bytes: Buffer) => Promise<void>]>([
    [
      "flipped",
      "blob_corrupt",
      async (path, bytes) => {
        bytes[bytes.length >> 1]! ^= 1;
        await writeFile(path, bytes);
      },
    ],
    ["truncated", "blob_corrupt", (path, bytes) => truncate(path, bytes.length - 1)],
    ["longer", "blob_corrupt", (path) => appendFile(path, "x")],
    ["empty", "blob_corrupt", (path) => truncate(path, 0)],
    ["missing", "blob_missing", (path) => rm(path)],
  ])("%s: the work is dead, says why, and nothing is compared", async (_, code, damage) => {
    const candidate = await startCandidate(agree);
    const { deployment } = await world.addDeployment(candidate.url);
    const { workId, blobKey, bytes } = await world.addSegment(deployment.id, [capture(1), capture(2)]);
    await damage(join(world.folder, blobKey), bytes);
    expect((await replayWork(world.worker(), workId, never)).end).toBe("dead");
    expect(await world.workState(workId)).toMatchObject({
      state: "dead",
      error: expect.stringContaining(`${code}: `),
    });
    expect((await world.outcomes(workId)).map(({ disposition }) => disposition)).toEqual(["dead", "dead"]);
    expect(candidate.received).toEqual([]);
    await candidate.close();
  });

  it.each([
    ["no Parquet", Buffer.from("no Parquet")],
    ["fewer rows", null],
  ])("%s under the right hash: dead all the same", async (_, forged) => {
    const { deployment } = await world.addDeployment("http://127.0.0.1:9");
    const { workId, blobKey } = await world.addSegment(deployment.id, [capture(1)]);
    if (forged === null) {
      await world.prisma.$executeRaw`UPDATE work SET rows = 2 WHERE id = ${workId}`;
    } else {
      await writeFile(join(world.folder, blobKey), forged);
      const sha256 = createHash("sha256").update(forged).digest("hex");
      await world.prisma.segment.updateMany({ where: { blobKey }, data: { sha256 } });
    }
    expect((await replayWork(world.worker(), workId, never)).end).toBe("dead");
    expect((await world.workState(workId)).error).toContain("blob_corrupt");
  });
});
