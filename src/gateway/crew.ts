import cluster, { type Worker } from "node:cluster";
import type { Config } from "../config.js";
import { UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { serveMetrics } from "../metrics.js";
import { cliMain } from "../paths.js";
import { urlOf } from "../process/address.js";
import { freePort } from "../process/free-port.js";
import type { Service } from "../process/service.js";
import { closeMs } from "./deadlines.js";
import { createSummedMetrics } from "./metrics-port.js";

const readyMs = 60_000;
const restartMs = { first: 500, most: 15_000 };
/** One that served this long is taken for healthy: its next restart is quick again. */
const healthyMs = 30_000;
/** Beyond its own deadline, before a process that does not end is ended. */
const graceMs = 300;
/** The least that a spool can do with. */
const spoolBytesMin = 1_048_576;

/**
 * Serves one port from several processes, each a whole gateway with a capture side, an epoch and a part of the spool
 * of its own, so that their accounts add up. One that dies is started again. This process holds the port and hands
 * out connections, in turn; it serves nobody itself.
 *
 * @throws UnderstudyError `child_failed` when one does not come up at the first start; `port_in_use` of the metrics port
 */
export async function startCrew(deps: {
  config: Config;
  log: Logger;
  /** Aborts the start. */
  ending: AbortSignal;
}): Promise<Service> {
  const { config, log, ending } = deps;
  const { workers: count } = config.gateway;
  let closing = false;
  // All must ask for the same one, and still find it when the last of them has died.
  const port = config.gatewayPort === 0 ? await freePort(config.host) : config.gatewayPort;
  const timers = new Set<NodeJS.Timeout>();

  cluster.setupPrimary({ exec: cliMain, args: ["gateway"] });

  function environment(): NodeJS.ProcessEnv {
    return {
      ...config.environment,
      UNDERSTUDY_GATEWAY_PORT: String(port),
      UNDERSTUDY_GATEWAY_WORKERS: "1",
      UNDERSTUDY_DATA_DIR: config.dataDir,
      UNDERSTUDY_SPOOL_BYTES_MAX: String(Math.max(spoolBytesMin, Math.floor(config.spoolBytesMax / count))),
    };
  }

  /** Resolves when the new process serves. */
  function start(): Promise<void> {
    const worker = cluster.fork(environment());
    return new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new UnderstudyError("child_failed", `A serving process ${why}`));
      const timer = setTimeout(() => {
        worker.process.kill("SIGKILL");
        fail(`was not ready after ${readyMs} ms`);
      }, readyMs);
      const ended = (code: number | null, signal: string | null) => {
        clearTimeout(timer);
        fail(`ended before it was ready (${signal ?? code})`);
      };
      worker.once("exit", ended);
      worker.on("message", function hear(message: { ready?: unknown }) {
        if (message?.ready === undefined) return;
        clearTimeout(timer);
        worker.off("exit", ended);
        worker.off("message", hear);
        resolve();
        if (closing) worker.process.kill("SIGTERM");
        else keep(worker);
      });
    });
  }

  let waitMs = restartMs.first;

  function keep(worker: Worker): void {
    const startedAt = Date.now();
    worker.once("exit", (code, signal) => {
      if (closing) return;
      if (Date.now() - startedAt > healthyMs) waitMs = restartMs.first;
      log.warn({ exit: signal ?? code, restartInMs: waitMs }, "a serving process ended, starting another");
      startLater();
    });
  }

  function startLater(): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (closing) return;
      start().catch((error: Error) => {
        log.error({ error: error.message }, "restart failed");
        if (!closing) startLater();
      });
    }, waitMs);
    timers.add(timer);
    waitMs = Math.min(waitMs * 2, restartMs.most);
  }

  /** All serving processes are asked to end, and ended when they do not. */
  async function stop(): Promise<void> {
    closing = true;
    ending.removeEventListener("abort", stop);
    for (const timer of timers) clearTimeout(timer);
    const running = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    await Promise.all(running.map((worker) => stopOne(worker, closeMs(config.gateway) + graceMs)));
  }

  try {
    ending.addEventListener("abort", stop);
    // If the port cannot be had, one says so, and not all.
    await start();
    await Promise.all(Array.from({ length: count - 1 }, start));
    const metrics = await serveMetrics(createSummedMetrics(), config.host, config.metricsPort);
    return {
      ready: {
        url: urlOf(config.host, port),
        port,
        metrics: `${urlOf(config.host, metrics.port)}/metrics`,
        workers: count,
      },
      async close() {
        await stop();
        await metrics.close();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function stopOne(worker: Worker, withinMs: number): Promise<void> {
  if (worker.isDead()) return Promise.resolve();
  return new Promise((resolve) => {
    const kill = setTimeout(() => worker.process.kill("SIGKILL"), withinMs);
    worker.once("exit", () => {
      clearTimeout(kill);
      resolve();
    });
    worker.process.kill("SIGTERM");
  });
}
