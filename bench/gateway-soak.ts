import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchContext, BenchResult } from "./bench.js";
import { residentBytesOf } from "./gateway/machine.js";
import { hasNginx } from "./gateway/nginx.js";
import { startBacking } from "./gateway/product.js";
import { answer, smallShot } from "./gateway/shots.js";
import { startStage } from "./gateway/stage.js";
import { startStalledCandidate } from "./gateway/stalled-candidate.js";
import { dropping, median } from "./gateway/throughput.js";
import { hasWrk, prepareWrk } from "./gateway/wrk.js";

const defaultSeconds = 600;
const requestsAtATime = 20_000;
const MiB = 1024 ** 2;

/**
 * A gateway under full load whose spool is full, for ten minutes unless told otherwise: its memory must stay as it is.
 * `rss_end_over_start`: of the last quarter of the time over the second one, the first being for warming up.
 */
export async function bench(context: BenchContext): Promise<BenchResult> {
  const missing = [...(hasNginx() ? [] : ["nginx"]), ...(hasWrk() ? [] : ["wrk"])];
  if (missing.length > 0) return { ratios: {}, missing };
  const folder = await mkdtemp(join(tmpdir(), "understudy-bench-"));
  context.onEnd(() => rm(folder, { recursive: true, force: true }));
  const stalledCandidate = await startStalledCandidate(answer, 200, context);
  const stage = await startStage({ folder, answer, stalledCandidate }, context);
  const backing = await startBacking(folder, `http://127.0.0.1:${stage.direct}`, context);
  const env = { UNDERSTUDY_SPOOL_BYTES_MAX: String(MiB) };
  const gateway = await backing.gateway({ name: "soak", capture: "spool", env });
  const wrk = await prepareWrk(join(folder, "wrk-soak"), smallShot(), context);
  const full = dropping(gateway);
  const seconds = context.seconds ?? defaultSeconds;

  const samples: { atSeconds: number; bytes: number }[] = [];
  const startMs = performance.now();
  for (let atSeconds = 0; atSeconds < seconds; atSeconds = (performance.now() - startMs) / 1000) {
    const settle = await full.watch!();
    const took = await wrk.run(gateway.port, requestsAtATime, 64);
    samples.push({ atSeconds, bytes: residentBytesOf(gateway.pid) });
    context.say(
      `${atSeconds.toFixed(0).padStart(4)} s  ${(samples.at(-1)!.bytes / MiB).toFixed(0)} MiB resident, ${(requestsAtATime / took).toFixed(0)}/s`,
    );
    await settle(requestsAtATime);
  }
  const within = (from: number, to: number) =>
    median(
      samples
        .filter(({ atSeconds }) => atSeconds >= from * seconds && atSeconds < to * seconds)
        .map(({ bytes }) => bytes),
    );
  const [before, after] = [within(0.25, 0.5), within(0.75, 1)];
  const slope = (after - before) / MiB / (seconds / 2 / 60);
  context.say(`${slope.toFixed(2)} MiB a minute`);
  return { ratios: { rss_end_over_start: after / before }, missing };
}
