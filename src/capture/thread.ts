/** The capture thread: a worker thread of the gateway's process. See `side.ts` for what it does. */
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { createBlobStore } from "../blobs/blobs.js";
import { messageOf } from "../errors.js";
import { createLogger } from "../log.js";
import { createQueues } from "../queue/backend.js";
import { createStore } from "../store/store.js";
import { watchDeployments } from "./deployments.js";
import { createRedactors } from "./redactors.js";
import { startCaptureSide } from "./side.js";
import type { FromThread, ThreadData, ToThread } from "./thread-messages.js";

const statsEveryMs = 1_000;
/** Shipping goes one by one; the rest is for the watch. */
const poolMax = 3;

const { config, memory, epoch, openedAtMs, gateway, ended } = workerData as ThreadData;
const tell = (message: FromThread) => parentPort!.postMessage(message);
const log = createLogger(config, "gateway-capture");

const { databaseUrl, redisUrl } = config;
const store = databaseUrl === undefined ? null : createStore(databaseUrl, { poolMax });
const queues = databaseUrl === undefined ? null : createQueues({ redisUrl, databaseUrl, log });

const redactors = createRedactors({ key: config.redactionKey, bytesMax: config.bodyBytesMax });
let sequenceRates = new Map<number, number | null>();
let switchedOff: ReadonlySet<number> = new Set();
// The ring may hold captures already, after a restart of this thread: they are drained once it is known how.
const watch = await watchDeployments({
  registry: store?.registry ?? null,
  dataDir: config.dataDir,
  onChange: (deployments) => {
    // Before the serving thread is told: what it captures then is drained by rules that are known here.
    redactors.tell(deployments);
    sequenceRates = new Map(
      deployments.deployments.map(({ id, sampleRate, capture }) => [
        id,
        capture.sequences ? sampleRate : null,
      ]),
    );
    switchedOff = new Set(
      deployments.deployments
        .filter(({ captureEnabled }) => !(captureEnabled && deployments.captureEnabled))
        .map(({ id }) => id),
    );
    tell({ kind: "deployments", config: deployments });
  },
  log,
});
const side = startCaptureSide({
  memory,
  root: join(config.dataDir, "spool"),
  epoch,
  openedAtMs,
  gateway,
  ended,
  spoolBytesMax: config.spoolBytesMax,
  bodyBytesMax: config.bodyBytesMax,
  largeBodyBytes: config.largeBodyBytes,
  clockOffsetMs: () => watch.clockOffsetMs,
  catalogue: store?.catalogue ?? null,
  blobs: await createBlobStore(config),
  redactorOf: redactors.of,
  isOff: (deploymentId) => switchedOff.has(deploymentId),
  sequenceRateOf: (deploymentId) => sequenceRates.get(deploymentId) ?? null,
  onWork: (workIds) => {
    queues
      ?.addReplay(workIds)
      .catch((error) => log.debug({ error: messageOf(error) }, "left to the reconciler to queue"));
  },
  log,
});
const statsTimer = setInterval(() => tell({ kind: "stats", stats: side.stats() }), statsEveryMs);
tell({ kind: "ready" });

parentPort!.once("message", async ({ deadlineMs }: ToThread) => {
  clearInterval(statsTimer);
  watch.close();
  await side.close(deadlineMs).catch((error) => log.error({ error: messageOf(error) }, "closing failed"));
  tell({ kind: "stats", stats: side.stats() });
  tell({ kind: "closed" });
});
