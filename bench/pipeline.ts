import { segmentCaptures } from "../src/capture/spool.js";
import type { BenchContext, BenchResult } from "./bench.js";
import { cpuSecondsOf } from "./gateway/machine.js";
import { startCandidate } from "./pipeline/candidate.js";
import { startJobPerRequest } from "./pipeline/job-per-request.js";
import { answerOf, modelName, requestOf } from "./pipeline/requests.js";
import { concurrency, openRig } from "./pipeline/rig.js";
import { undiciLoop } from "./pipeline/undici-loop.js";
import { visibleMs } from "./pipeline/visible.js";
import { hasDebianPostgres } from "./servers.js";
import { speedup, takeTurns } from "./timing.js";

/** Of a turn. A worker runs for days: what its first few thousand requests cost, not compiled yet, is not the subject. */
const segments = 48;
const rounds = 4;
const path = `/v2/models/${modelName}/infer`;

/** Captured to visible, against peers that have as many requests under way at a time as a worker has. */
export async function bench(context: BenchContext): Promise<BenchResult> {
  if (!hasDebianPostgres()) return { ratios: {}, missing: ["postgres 15"] };
  const rig = await openRig(context);
  const slow = await startCandidate(5, context);
  const instant = await startCandidate(0, context);
  const worker = await rig.start("worker");
  const requests = segments * segmentCaptures;
  const bodies = Array.from({ length: requests }, (_, number) => Buffer.from(requestOf(number)));
  const bytesBefore = await rig.databaseBytes();
  let laid = 0;
  const spent = { worker: 0, postgres: 0, redis: 0, requests: 0 };
  const used = () => ({
    worker: cpuSecondsOf(worker.process.pid!),
    postgres: cpuSecondsOf(rig.postgres.pid),
    redis: cpuSecondsOf(rig.redis.pid),
  });
  const ours = async (url: string, times = 1) => {
    const work = await rig.lay(url, times * segments);
    laid += times * requests;
    const before = used();
    const seconds = await rig.replay(work);
    const after = used();
    for (const part of ["worker", "postgres", "redis"] as const) spent[part] += after[part] - before[part];
    spent.requests += times * requests;
    return seconds / times;
  };

  const loop = await takeTurns(
    { ours: () => ours(slow), loop: () => undiciLoop(slow, path, bodies, concurrency) },
    rounds,
  );
  tell("5 ms", loop);
  const peer = await startJobPerRequest(rig, instant, concurrency, context);
  const jobs = await takeTurns({ ours: () => ours(instant), jobs: () => peer(requests) }, rounds);
  tell("instant", jobs);

  const costUs = (part: "worker" | "postgres" | "redis") => ((spent[part] / spent.requests) * 1e6).toFixed(0);
  context.say(
    `processor time of a request: worker ${costUs("worker")} µs, Postgres ${costUs("postgres")} µs, Redis ${costUs("redis")} µs`,
  );

  const answeredBytes = Buffer.byteLength(answerOf(0));
  const capturedBytes =
    (laid / requests) * bodies.reduce((sum, body) => sum + body.length + answeredBytes, 0);
  const storedBytes = (await rig.databaseBytes()) - bytesBefore + rig.blobBytes();

  const visible = await visibleMs(rig, slow, { perSecond: 200, seconds: 10 });
  const visibleP95Ms = visible[Math.ceil(visible.length * 0.95) - 1]!;
  context.say(
    `visible after: p50 ${visible[visible.length >> 1]!.toFixed(0)} ms, p95 ${visibleP95Ms.toFixed(0)} ms`,
  );

  const workers = await takeTurns(
    {
      // Twice as long: that work begins and ends, which takes two as long as one, is not the subject either.
      one: () => ours(slow, 2),
      two: async () => {
        const second = await rig.start("worker");
        await ours(slow);
        const seconds = await ours(slow, 2);
        await second.stop();
        return seconds;
      },
    },
    rounds,
  );
  tell("5 ms, one and two workers", workers);

  return {
    ratios: {
      vs_undici_loop: speedup(loop.loop, loop.ours),
      vs_one_job_per_request: speedup(jobs.jobs, jobs.ours),
      two_workers_vs_one: speedup(workers.one, workers.two),
      stored_bytes_per_captured_byte: storedBytes / capturedBytes,
      visible_p95_ms: visibleP95Ms,
    },
    missing: [],
  };

  function tell(what: string, turns: Record<string, number[]>): void {
    const each = Object.entries(turns).map(
      ([name, seconds]) => `${name} ${(requests / Math.min(...seconds)).toFixed(0)}/s`,
    );
    context.say(`${what}: ${each.join(", ")} (the fastest of ${rounds} turns)`);
  }
}
