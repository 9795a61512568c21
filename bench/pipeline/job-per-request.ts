import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Queue, Worker } from "bullmq";
import pg from "pg";
import { Pool } from "undici";
import type { BenchContext } from "../bench.js";
import { answerOf, capturesOf, differsEvery, modelName } from "./requests.js";
import type { Rig } from "./rig.js";

/**
 * The peer: what one would build first. One BullMQ job for each request, with both bodies in it; its handler sends the
 * request, compares the outputs number by number, and inserts one row.
 */

interface Job {
  id: string;
  request: string;
  expected: string;
}

interface Answer {
  outputs: { data: number[] }[];
}

const queueName = "peer";

function serve(redisUrl: string, databaseUrl: string, candidateUrl: string, concurrency: number): void {
  const rows = new pg.Pool({ connectionString: databaseUrl, max: concurrency });
  const candidate = new Pool(candidateUrl, { connections: concurrency, pipelining: 1 });
  const worker = new Worker<Job>(
    queueName,
    async ({ data: { id, request, expected } }) => {
      const startMs = performance.now();
      const { statusCode, body } = await candidate.request({
        method: "POST",
        path: `/v2/models/${modelName}/infer`,
        headers: { "content-type": "application/json" },
        body: request,
      });
      const answer = (await body.json()) as Answer;
      const tookMs = performance.now() - startMs;
      const maxAbs = statusCode === 200 ? maxAbsOf(JSON.parse(expected) as Answer, answer) : null;
      await rows.query({
        name: "insert",
        text: "INSERT INTO peer_outcomes (id, result, max_abs, candidate_ms) VALUES ($1, $2, $3, $4)",
        values: [id, maxAbs === 0 ? "match" : "mismatch", maxAbs, tookMs],
      });
    },
    { connection: { url: redisUrl, maxRetriesPerRequest: null }, concurrency },
  );
  worker.on("error", () => {});
  void worker.waitUntilReady().then(() => process.send?.("ready"));
  process.once("disconnect", () => process.exit(0));
}

function maxAbsOf(expected: Answer, actual: Answer): number {
  let max = 0;
  expected.outputs.forEach(({ data }, output) => {
    data.forEach((value, i) => {
      max = Math.max(max, Math.abs(value - actual.outputs[output]!.data[i]!));
    });
  });
  return max;
}

/** Starts the peer's process; each turn queues so many requests, and returns the seconds until all rows were there. */
export async function startJobPerRequest(
  { redis, sql, postgres }: Rig,
  candidateUrl: string,
  concurrency: number,
  { onEnd }: BenchContext,
): Promise<(requests: number) => Promise<number>> {
  await sql.query("CREATE DATABASE peer");
  const databaseUrl = postgres.url.replace(/postgres$/, "peer");
  const rows = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  rows.on("error", () => {});
  onEnd(() => rows.end());
  await rows.query(`CREATE TABLE peer_outcomes (id uuid PRIMARY KEY, result text NOT NULL, max_abs float8,
                    candidate_ms float8, judged_at timestamptz NOT NULL DEFAULT now())`);
  const queue = new Queue<Job>(queueName, { connection: { url: redis.url } });
  queue.on("error", () => {});
  onEnd(() => queue.close());
  const args = [redis.url, databaseUrl, candidateUrl, String(concurrency)];
  const child = fork(fileURLToPath(import.meta.url), args, { execArgv: [] });
  onEnd(() => child.disconnect());
  await once(child, "message");

  return async (requests) => {
    await rows.query("TRUNCATE peer_outcomes");
    await queue.pause();
    const expected = [answerOf(1), answerOf(0)] as const;
    await queue.addBulk(
      capturesOf(1, requests).map(({ id, requestBody }, number) => ({
        name: "replay",
        data: {
          id,
          request: Buffer.from(requestBody).toString(),
          expected: expected[number % differsEvery === 0 ? 0 : 1],
        },
        opts: { removeOnComplete: true, removeOnFail: true },
      })),
    );
    const startMs = performance.now();
    await queue.resume();
    for (;;) {
      const { rows: seen } = await rows.query(
        "SELECT count(*)::int AS n, count(*) FILTER (WHERE result = 'mismatch')::int AS mismatches FROM peer_outcomes",
      );
      if (seen[0].n === requests) {
        if (seen[0].mismatches !== Math.ceil(requests / differsEvery))
          throw new Error("the peer judges otherwise");
        break;
      }
      if (performance.now() - startMs > 120_000) throw new Error(`the peer did ${seen[0].n} of ${requests}`);
      await sleep(10);
    }
    return (performance.now() - startMs) / 1_000;
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [redisUrl = "", databaseUrl = "", candidateUrl = "", concurrency = "1"] = process.argv.slice(2);
  serve(redisUrl, databaseUrl, candidateUrl, Number(concurrency));
}
