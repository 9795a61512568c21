import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Queue } from "bullmq";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/product.js";
import { rawGet } from "./raw-get.js";
import { proof, schedule } from "./seed.js";
import { openStage, type Servers, type Stage, startServers, untilAnswered } from "./world.js";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers.close());

/** Segments of so many captures, with work that nobody has taken up yet. */
async function captured(stage: Stage, requests: number) {
  const gateway = await stage.start("gateway");
  const load = stage.load(gateway, 2, 2);
  await untilAnswered(load, requests);
  await load.stop();
  await stage.until((ledger) => ledger.captured === load.answered);
  await gateway.kill("SIGTERM");
  return load;
}

const spoils = [
  {
    how: "flipped",
    code: "blob_corrupt",
    spoil: async (path: string, at: number) => {
      const bytes = await readFile(path);
      bytes[at % bytes.length]! ^= 0x40;
      await writeFile(path, bytes);
    },
  },
  {
    how: "truncated",
    code: "blob_corrupt",
    spoil: async (path: string, at: number) => {
      const bytes = await readFile(path);
      await writeFile(path, bytes.subarray(0, at % bytes.length));
    },
  },
  { how: "missing", code: "blob_missing", spoil: (path: string) => rm(path) },
];

test.each(spoils)("row 22: a segment $how", async ({ how, code, spoil }) => {
  const draw = schedule(`row 22 ${how}`);
  const stage = await openStage(servers);
  await captured(stage, draw.between(100, 400));
  const segments = await stage.query<{ id: string; blob_key: string; captures: number }>(
    "SELECT id, blob_key, captures FROM segments ORDER BY id",
  );
  const spoilt = draw.pick(segments);
  await spoil(join(stage.blobFolder, spoilt.blob_key), draw.between(0, 1_000_000));
  await stage.start("worker");
  const { faults, ledger } = await stage.settled(undefined, new Set([spoilt.id]));
  expect(faults).toEqual([]);
  const works = await stage.query<{ error: string; judged: number; dead: number }>(
    `SELECT w.error, count(*) FILTER (WHERE o.result IS NOT NULL)::int AS judged,
            count(*) FILTER (WHERE o.disposition = 'dead')::int AS dead
     FROM work w JOIN outcomes o ON o.work_id = w.id WHERE w.segment_id = '${spoilt.id}' GROUP BY w.id`,
  );
  proof(22, `${spoilt.blob_key} ${how}: ${works[0]?.error}`);
  expect(works).toEqual([{ error: expect.stringContaining(code), judged: 0, dead: spoilt.captures }]);
  expect(ledger.candidates.c).toMatchObject({
    dead: spoilt.captures,
    compared: ledger.captured - spoilt.captures,
  });
});

test("row 23: the same job delivered a hundred times", async () => {
  const stage = await openStage(servers);
  await captured(stage, schedule("row 23").between(50, 300));
  const queue = new Queue("replay", {
    connection: { url: stage.environment.REDIS_URL },
    prefix: "understudy",
  });
  onTestFinished(() => queue.close());
  const works = await stage.query<{ id: string }>("SELECT id::text FROM work");
  await queue.addBulk(
    Array.from({ length: 100 }, () => works)
      .flat()
      .map(({ id }) => ({ name: "replay", data: { workId: id }, opts: { removeOnFail: true } })),
  );
  const workers = await Promise.all([stage.start("worker"), stage.start("worker")]);
  const { faults, captured: count, outcomes } = await stage.settled();
  const done = () => queue.getCompletedCount();
  const delivered = await eventually(done, (jobs) => jobs >= 100 * works.length, { withinMs: 60_000 });
  const ends = await Promise.all(
    workers.map(async ({ child }) => (await fetch(String(child.ready.metrics))).text()),
  );
  const committed = ends
    .map((text) => Number(/understudy_works_total\{end="committed"\} (\d+)/.exec(text)?.[1] ?? 0))
    .reduce((a, b) => a + b);
  proof(23, `${delivered} deliveries of ${works.length} works, ${committed} commits`);
  expect(committed).toBe(works.length);
  expect(faults).toEqual([]);
  expect(outcomes).toBe(count);
});

test("row 33: ways out of the folder, in the ids of comparisons and in blobs", async () => {
  const stage = await openStage(servers);
  const secret = "not to be read";
  await writeFile(join(stage.folder, "secret"), secret);
  const control = await stage.start("control");
  const ways = [
    "../secret",
    "..%2fsecret",
    "%2e%2e%2fsecret",
    "%2e%2e/secret",
    "..%5csecret",
    "%00",
    "....//secret",
  ];
  for (const way of ways) {
    for (const path of [`/api/v1/comparisons/${way}`, `/api/v1/comparisons/${way}/tensors`, `/${way}`]) {
      // Unlike fetch, a raw request leaves the dots alone.
      const answer = await rawGet(Number(control.child.ready.port), path);
      expect(answer.text).not.toContain(secret);
      if (path.startsWith("/api")) expect([400, 404]).toContain(answer.status);
    }
    await expect(stage.blobs.get(decodeURIComponent(way))).rejects.toMatchObject({
      code: expect.any(String),
    });
  }
  proof(33, `${ways.length} ways out refused by the API and by the blob store`);
});
