import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchContext, BenchResult } from "./bench.js";
import { hasNginx } from "./gateway/nginx.js";
import { type Backing, startBacking } from "./gateway/product.js";
import { answer, smallShot } from "./gateway/shots.js";
import { type Stage, startStage } from "./gateway/stage.js";
import { shipping, spooling, throughputs } from "./gateway/throughput.js";
import { hasWrk, prepareWrk, type Shot } from "./gateway/wrk.js";

export async function bench(context: BenchContext): Promise<BenchResult> {
  const missing = [...(hasNginx() ? [] : ["nginx"]), ...(hasWrk() ? [] : ["wrk"])];
  if (missing.length > 0) return { ratios: {}, missing };
  const folder = await mkdtemp(join(tmpdir(), "understudy-bench-"));
  context.onEnd(() => rm(folder, { recursive: true, force: true }));
  const stage = await startStage({ folder, answer, stalledCandidate: 1 }, context);
  const backing = await startBacking(folder, `http://127.0.0.1:${stage.direct}`, context);
  const ratios = await small(stage, backing, context);
  return { ratios, missing };
}

async function small(stage: Stage, backing: Backing, context: BenchContext): Promise<Record<string, number>> {
  const spool = await backing.gateway({ name: "spool", capture: "spool" });
  const ship = await backing.gateway({ name: "ship", capture: "ship" });
  const wrk = await wrkFor("small", smallShot(), backing, context);
  const { pid } = stage.proxy;
  const perSecond = await throughputs(
    "6 kB  ",
    {
      plain: { port: stage.plain, pid },
      mirror: { port: stage.mirror, pid },
      spool: spooling(spool),
      ship: shipping(ship, backing),
    },
    { wrk, requests: 30_000, connections: 16, rounds: 5 },
    context,
  );
  await spool.stop();
  await ship.stop();
  return {
    rps_vs_nginx_mirror: perSecond.spool / perSecond.mirror,
    rps_shipped_vs_nginx_mirror: perSecond.ship / perSecond.mirror,
  };
}

async function wrkFor(name: string, shot: Shot, { folder }: Backing, context: BenchContext) {
  const own = join(folder, `wrk-${name}`);
  await mkdir(own);
  return prepareWrk(own, shot, context);
}
