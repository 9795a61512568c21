import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchContext, BenchResult } from "./bench.js";
import { latencies } from "./gateway/latency.js";
import { hasNginx } from "./gateway/nginx.js";
import { type Backing, startBacking } from "./gateway/product.js";
import { answer, largeShot, smallShot } from "./gateway/shots.js";
import { type Stage, startStage } from "./gateway/stage.js";
import { startStalledCandidate } from "./gateway/stalled-candidate.js";
import { dropping, shipping, spooling, throughputs } from "./gateway/throughput.js";
import { hasWrk, prepareWrk } from "./gateway/wrk.js";

const rounds = 7;
const stallMs = 200;

type Ratios = Record<string, number>;
type Scenario = (stage: Stage, backing: Backing, context: BenchContext) => Promise<Ratios>;

/** The gateway on one core against nginx on the same one, in turns; clients, primary and database are on the other. */
export async function bench(context: BenchContext): Promise<BenchResult> {
  const missing = [...(hasNginx() ? [] : ["nginx"]), ...(hasWrk() ? [] : ["wrk"])];
  if (missing.length > 0) return { ratios: {}, missing };
  const folder = await mkdtemp(join(tmpdir(), "understudy-bench-"));
  context.onEnd(() => rm(folder, { recursive: true, force: true }));
  const stalledCandidate = await startStalledCandidate(answer, stallMs, context);
  const stage = await startStage({ folder, answer, stalledCandidate }, context);
  const backing = await startBacking(folder, `http://127.0.0.1:${stage.direct}`, context);
  const ratios: Ratios = {};
  for (const scenario of [small, paced, large, stalled(stalledCandidate), busy]) {
    Object.assign(ratios, await scenario(stage, backing, context));
  }
  return { ratios, missing };
}

const small: Scenario = async (stage, backing, context) => {
  const spool = await backing.gateway({ name: "spool", capture: "spool" });
  const ship = await backing.gateway({ name: "ship", capture: "ship" });
  const wrk = await prepareWrk(join(backing.folder, "wrk-small"), smallShot(), context);
  const { pid } = stage.proxy;
  const perSecond = await throughputs(
    "6 kB  ",
    {
      plain: { port: stage.plain, pid },
      mirror: { port: stage.mirror, pid },
      spool: spooling(spool),
      ship: shipping(ship, backing),
    },
    { wrk, requests: 20_000, connections: 16, warmUpRounds: 5, rounds },
    context,
  );
  await spool.stop();
  await ship.stop();
  return {
    rps_vs_nginx_mirror: perSecond.spool / perSecond.mirror,
    rps_shipped_vs_nginx_mirror: perSecond.ship / perSecond.mirror,
  };
};

const paced: Scenario = async (stage, backing, context) => {
  const spool = await backing.gateway({ name: "paced", capture: "spool" });
  const { direct, mirror, ours } = await latencies(
    "2,000/s",
    { direct: { port: stage.direct }, mirror: { port: stage.mirror }, ours: spooling(spool) },
    { shot: smallShot(), perSecond: 2_000, seconds: 3, rounds },
    context,
  );
  await spool.stop();
  return { p50_added_vs_nginx_mirror: (ours.p50 - direct.p50) / (mirror.p50 - direct.p50) };
};

const large: Scenario = async (stage, backing, context) => {
  const env = {
    // Nothing is shipped: every body stays in the spool.
    UNDERSTUDY_SPOOL_BYTES_MAX: String(32 * 1024 ** 3),
    // A disk takes less than a closed loop sends of these, and nothing may be dropped.
    UNDERSTUDY_BUFFER_BYTES: String(512 * 1024 ** 2),
  };
  const spool = await backing.gateway({ name: "large", capture: "spool", env });
  const wrk = await prepareWrk(join(backing.folder, "wrk-large"), largeShot(), context);
  const perSecond = await throughputs(
    "600 kB",
    { mirror: { port: stage.mirror, pid: stage.proxy.pid }, ours: spooling(spool) },
    { wrk, requests: 1_000, connections: 16, warmUpRounds: 3, rounds },
    context,
  );
  await spool.stop();
  return { rps_600k_vs_nginx_mirror: perSecond.ours / perSecond.mirror };
};

/** Ours replays to the same candidate that nginx mirrors to. The worker stays, and is busy in what follows. */
const stalled =
  (candidate: number): Scenario =>
  async (stage, backing, context) => {
    await backing.addCandidate(`http://127.0.0.1:${candidate}`);
    await backing.startWorker();
    const ship = await backing.gateway({ name: "stalled", capture: "ship" });
    const { mirror, ours } = await latencies(
      "stalled",
      { mirror: { port: stage.stalled }, ours: shipping(ship, backing) },
      { shot: smallShot(), perSecond: 500, seconds: 3, rounds },
      context,
    );
    await ship.stop();
    return { stall_p99_nginx_mirror_over_ours: mirror.p99 / ours.p99 };
  };

const busy: Scenario = async (_, backing, context) => {
  const off = await backing.gateway({ name: "off", capture: "off" });
  const env = { UNDERSTUDY_SPOOL_BYTES_MAX: String(1024 ** 2) };
  const full = await backing.gateway({ name: "full", capture: "spool", env });
  const waits = await latencies(
    "busy  ",
    { off: { port: off.port }, full: dropping(full) },
    // What the load's core does beside it scatters each round's p99 by half: only the middle of many says anything.
    { shot: smallShot(), perSecond: 2_000, seconds: 2, rounds: 25 },
    context,
  );
  await off.stop();
  await full.stop();
  return { busy_p99_vs_capture_off: waits.full.p99 / waits.off.p99 };
};
