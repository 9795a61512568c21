import { createWebhooks } from "../src/alerts/webhook.js";
import { createAnswerKeeper } from "../src/answers/keeper.js";
import { createAnswerQuota } from "../src/answers/quota.js";
import type { BlobStore } from "../src/blobs/blobs.js";
import type { Config } from "../src/config.js";
import { keepJudging } from "../src/gate/keep-judging.js";
import type { Logger } from "../src/log.js";
import { createMetrics, serveMetrics } from "../src/metrics.js";
import { urlOf } from "../src/process/address.js";
import type { Service } from "../src/process/service.js";
import type { Queues } from "../src/queue/backend.js";
import { historyJob, rejudgeJob, replayJob } from "../src/queue/jobs.js";
import { keepConducting } from "../src/replay/conduct.js";
import { createGaps } from "../src/replay/gaps.js";
import { createHosts } from "../src/replay/hosts.js";
import { createLanes } from "../src/replay/lanes.js";
import { monotonicMs } from "../src/replay/pacing/clock.js";
import { createSender } from "../src/replay/pacing/sender.js";
import type { ReplayEnd } from "../src/replay/replay-work.js";
import { createSuspects } from "../src/replay/suspects.js";
import { createTimeLines } from "../src/replay/time-line.js";
import { createTurns, everyTurn } from "../src/replay/turns.js";
import type { Store } from "../src/store/store.js";
import type { Upstream } from "../src/upstream/client.js";
import { alertHandlers } from "./alerts.js";
import { maintenanceHandlers } from "./maintenance.js";
import { addWorkerMetrics } from "./metrics.js";
import { replayHandlers } from "./replay.js";
import { keepSchedules } from "./schedules.js";
import { webhookHandlers } from "./webhooks.js";

/** Slices of paced replays, and works of others, in one process. */
const slicesAtATime = 32;

/**
 * Takes jobs of all queues, and serves the metrics. Closing it closes the queues as well, since their handlers use
 * all the rest; whoever made store and upstream closes those, after this.
 *
 * @throws UnderstudyError `queue_unreachable`; nothing runs then.
 */
export async function startWorkers(context: {
  config: Config;
  log: Logger;
  store: Store;
  queues: Queues;
  blobs: BlobStore;
  upstream: Upstream;
}): Promise<Service> {
  const { config, log, store, queues, blobs, upstream } = context;
  const opened: (() => Promise<void>)[] = [() => queues.close()];
  const close = async () => {
    for (const each of opened) await each();
  };
  try {
    await queues.ready();
    const hosts = createHosts({ config, log });
    const webhooks = createWebhooks(config.webhookAllow);
    opened.push(hosts.close, webhooks.close);
    const registry = createMetrics();
    const { onEnd, onBreaker } = addWorkerMetrics(registry, queues);
    const metrics = await serveMetrics(registry, config.host, config.metricsPort);
    opened.push(metrics.close);

    const sender = createSender({ config });
    opened.push(sender.close);
    const replay = {
      store,
      rejudges: store.rejudges,
      blobs,
      answers: createAnswerKeeper({ blobs, quota: createAnswerQuota(store.answers), log }),
      upstream,
      hosts,
      turns: createTurns(config.workerConcurrency),
      lanes: createLanes(),
      gaps: createGaps(),
      suspects: createSuspects(),
      breakers: store.breakers,
      onBreaker,
      log,
      by: `${config.hostname}:${process.pid}`,
      replayTimeoutMs: config.replayTimeoutMs,
      responseBytesMax: config.bodyBytesMax,
      controlShare: config.controlShare,
      redaction: { key: config.redactionKey, bytesMax: config.bodyBytesMax },
      history: {
        replays: store.replays,
        sender,
        lines: createTimeLines(store.registry.clockMs, monotonicMs),
      },
    };
    const concurrency = config.workerConcurrency;
    await queues.work("replay", replayHandlers(replayJob, replay, onEnd), { concurrency });
    // Slices are taken up ahead of their time and wait for it; how many requests are sent at a time is capped elsewhere.
    const history = { ...replay, turns: everyTurn };
    const conductor = keepConducting({ replays: store.replays, queues, log });
    const onSlice = (end: ReplayEnd) => {
      onEnd(end);
      if (end.end === "committed") conductor.wake();
    };
    await queues.work("history", replayHandlers(historyJob, history, onSlice), {
      concurrency: slicesAtATime,
    });
    const judges = keepJudging({ store, log });
    opened.unshift(conductor.stop, judges.stop);
    // One at a time, and with turns of its own: it neither waits for live replays nor takes their places.
    const again = { ...replay, turns: createTurns(1), suspects: createSuspects() };
    await queues.work("rejudge", replayHandlers(rejudgeJob, again, onEnd), { concurrency: 1 });
    await queues.work("alerts", alertHandlers({ store, queues, log }), { concurrency: 1 });
    await queues.work("webhooks", webhookHandlers({ store, webhooks, log }), { concurrency: 8 });
    await queues.work("maintenance", maintenanceHandlers({ store, queues, blobs, log, config }), {
      // An erasure may take one of them for long.
      concurrency: 4,
    });
    const schedules = await keepSchedules(queues, log);
    opened.unshift(async () => schedules.stop());
    return { ready: { metrics: `${urlOf(config.host, metrics.port)}/metrics` }, close };
  } catch (error) {
    await close();
    throw error;
  }
}
