import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { Pool } from "pg";
import { pino } from "pino";
import { createFileStore } from "../../src/blobs/file-store.js";
import type { Capture } from "../../src/capture/capture.js";
import { writeSegment } from "../../src/capture/segment.js";
import { segmentCaptures } from "../../src/capture/spool.js";
import { dayOf, minuteOf, newId } from "../../src/ids.js";
import { type Child, startChild } from "../../src/process/child.js";
import { createQueues } from "../../src/queue/backend.js";
import { migrate } from "../../src/store/migrate.js";
import { createStore } from "../../src/store/store.js";
import type { SegmentCommit } from "../../src/store/types.js";
import type { BenchContext } from "../bench.js";
import { startOwnPostgres, startOwnRedis } from "../servers.js";
import { capturesOf, differsEvery, modelName } from "./requests.js";

/** Requests that a worker has under way to the candidate at a time; the peers have as many. */
export const concurrency = 32;

/** What one turn of the pipeline has to do: captures of a deployment of its own, catalogued, with work for its candidate. */
export interface Laid {
  runId: number;
  workIds: readonly bigint[];
  requests: number;
}

export type Rig = Awaited<ReturnType<typeof openRig>>;

/** Redis, Postgres and a blob store in a temporary folder, and what the product needs beside its processes. */
export async function openRig({ onEnd }: BenchContext) {
  const folder = await mkdtemp(join(tmpdir(), "understudy-bench-"));
  onEnd(() => rm(folder, { recursive: true, force: true }));
  const postgres = await startOwnPostgres({
    folder: join(folder, "postgres"),
    debian: true,
    settings: { shared_buffers: "256MB" },
  });
  onEnd(() => postgres.kill());
  const redis = await startOwnRedis(join(folder, "redis"));
  onEnd(() => redis.kill());
  const log = pino({ level: "warn" }, pino.destination(2));
  await migrate(postgres.url, { log });
  const store = createStore(postgres.url, { poolMax: 4 });
  onEnd(() => store.close());
  const sql = new Pool({ connectionString: postgres.url, max: 2 });
  sql.on("error", () => {});
  onEnd(() => sql.end());
  const queues = createQueues({ redisUrl: redis.url, databaseUrl: postgres.url, log });
  onEnd(() => queues.close(0));
  const gate = new Queue("replay", { connection: { url: redis.url }, prefix: "understudy" });
  gate.on("error", () => {});
  onEnd(() => gate.close());
  const blobs = createFileStore(join(folder, "blobs"));
  const environment = {
    PATH: process.env.PATH,
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    UNDERSTUDY_BLOBS: `file:${join(folder, "blobs")}`,
    UNDERSTUDY_LOG_LEVEL: "error",
  };
  let deployments = 0;
  let blobBytes = 0;

  async function start(command: string, more: NodeJS.ProcessEnv = {}): Promise<Child> {
    const child = await startChild([command], { env: { ...environment, ...more } });
    onEnd(() => child.stop());
    return child;
  }

  /** A deployment whose candidate answers at `url`. */
  async function deploy(url: string) {
    const name = `${modelName}-${++deployments}`;
    const endpoint = { url, model: modelName, version: null, headers: {} };
    const deployment = await store.registry.createDeployment({
      name,
      primary: { ...endpoint, model: name },
      control: null,
      sampleRate: 1,
      captureEnabled: true,
      policy: { outputs: {} },
    });
    const candidate = await store.registry.addCandidate(name, {
      name: "candidate",
      endpoint,
      sha256: null,
      metadata: {},
      flow: { concurrency },
    });
    return { name, deploymentId: deployment.id, runId: candidate.liveRunId };
  }

  async function lay(url: string, segments: number): Promise<Laid> {
    const { deploymentId, runId } = await deploy(url);
    const workIds: bigint[] = [];
    for (let i = 0; i < segments; i++) {
      const captures = capturesOf(deploymentId, segmentCaptures);
      const bytes = writeSegment(captures);
      blobBytes += bytes.length;
      const commit = commitOf(deploymentId, captures, bytes);
      await blobs.put(commit.segment.blobKey, bytes);
      workIds.push(...(await store.catalogue.commitSegment(commit)).workIds);
    }
    return { runId, workIds, requests: segments * segmentCaptures };
  }

  /** Has the workers do it, and checks that each request was judged once. @returns seconds */
  async function replay({ runId, workIds, requests }: Laid): Promise<number> {
    await gate.pause();
    await queues.addReplay(workIds);
    const startMs = performance.now();
    await gate.resume();
    for (;;) {
      const { rows } = await sql.query(
        "SELECT count(*)::int AS open FROM work WHERE run_id = $1 AND state <> 'done'",
        [runId],
      );
      if (rows[0].open === 0) break;
      if (performance.now() - startMs > 120_000) throw new Error(`${rows[0].open} works are not done`);
      // Seldom: whoever asks takes processor time from those who are measured.
      await sleep(50);
    }
    const seconds = (performance.now() - startMs) / 1_000;
    const { rows } = await sql.query(
      `SELECT count(*)::int AS judged, count(DISTINCT capture_id)::int AS requests,
              count(*) FILTER (WHERE disposition = 'compared' AND result = 'mismatch')::int AS mismatches
       FROM outcomes WHERE run_id = $1`,
      [runId],
    );
    const mismatches = (requests / segmentCaptures) * Math.ceil(segmentCaptures / differsEvery);
    if (rows[0].judged !== requests || rows[0].requests !== requests || rows[0].mismatches !== mismatches) {
      throw new Error(`of ${requests} requests, ${mismatches} differing: ${JSON.stringify(rows[0])}`);
    }
    return seconds;
  }

  async function databaseBytes(): Promise<number> {
    const { rows } = await sql.query("SELECT pg_database_size(current_database())::float8 AS bytes");
    return rows[0].bytes;
  }

  return {
    ...{ folder, postgres, redis, sql, start, deploy, lay, replay, databaseBytes },
    blobBytes: () => blobBytes,
  };
}

/** As the capture side catalogues a segment, with the cut of a gateway that received just these requests. */
function commitOf(deploymentId: number, captures: readonly Capture[], bytes: Buffer): SegmentCommit {
  const { receivedAtMs } = captures[0]!;
  const id = newId(receivedAtMs);
  const epoch = newId(receivedAtMs);
  return {
    segment: {
      id,
      deploymentId,
      day: dayOf(receivedAtMs),
      gatewayEpoch: epoch,
      blobKey: `segments/${id}.parquet`,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      bytes: bytes.length,
    },
    captures: captures.map((capture, row) => ({
      ...capture,
      row,
      transport: "http-json",
      requestBytes: capture.requestBody.length,
      responseBytes: capture.responseBody.length,
    })),
    bodies: [],
    cut: {
      epoch,
      gateway: "bench",
      startedAtMs: receivedAtMs,
      sequence: 1,
      cutAtMs: receivedAtMs,
      clockOffsetMs: 0,
      state: "closed",
      counts: [
        {
          deploymentId,
          minuteMs: minuteOf(receivedAtMs),
          received: captures.length,
          inFlight: 0,
          sampledOut: 0,
          buffered: 0,
          lost: 0,
          notEligible: {},
          dropped: {},
          requestBytes: 0,
          responseBytes: 0,
        },
      ],
    },
  };
}
