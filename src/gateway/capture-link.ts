import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createRingMemory, createRingProducer, slabBytes } from "../capture/ring.js";
import { createSequenceMemory, createSequenceWriter } from "../capture/sequences.js";
import type { EndedEpoch, SharedMemory, SideStats } from "../capture/side.js";
import { createTally, type Tally } from "../capture/tally.js";
import type { FromThread, ThreadData, ToThread } from "../capture/thread-messages.js";
import type { Config } from "../config.js";
import { messageOf } from "../errors.js";
import { newId } from "../ids.js";
import type { Logger } from "../log.js";
import { packageRoot } from "../paths.js";
import type { GatewayConfig } from "../store/types.js";

const threadMain = join(packageRoot, "dist/src/capture/thread.js");
/** How old what Postgres knows of a gateway may be. */
const cutEveryMs = 500;
/** For bodies that are read to where the capture side finds them, beside the buffer and up to a quarter of it. */
const slabBytesMax = 64 * 1024 ** 2;
/** A gateway serves even if its capture thread does not come up; most of the time it needs under a second. */
const readyMs = 10_000;
/** Before a new thread is started; longer with each that did not come up. */
const restartMs = { first: 1_000, most: 30_000 };

/**
 * The serving thread's end of the capture side. When the capture thread dies, requests are served on; a new one begins
 * a new epoch, with an account of its own, and settles the old one. One that did not even come up, since its spool
 * cannot be used, say, has begun no epoch: the next tries to begin the same, and counts what came meanwhile.
 */
export interface CaptureLink {
  /** The account of the epoch that is under way. */
  readonly tally: Tally;
  readonly stats: SideStats;
  /** Bytes in the ring, and how many it holds. */
  ring(): { usedBytes: number; bytes: number };
  readonly up: boolean;
  close(deadlineMs: number): Promise<void>;
}

interface Life {
  epoch: string;
  openedAtMs: number;
  memory: SharedMemory;
  tally: Tally;
  used: () => number;
  cameUp: boolean;
}

/**
 * Resolves when the capture thread is up, or after ten seconds without it.
 * @param deps.onDeployments told the deployments, and every change of them
 * @param deps.onTally told that requests are counted elsewhere from now on
 */
export async function startCaptureLink(deps: {
  config: Config;
  gateway: string;
  onDeployments: (config: GatewayConfig) => void;
  onTally: () => void;
  log: Logger;
}): Promise<CaptureLink> {
  const { config, gateway, onDeployments, onTally, log } = deps;
  const { secret: _, ...threadConfig } = config;
  const slabs = Math.floor(Math.min(config.bufferBytes / 4, slabBytesMax) / slabBytes);
  const ended: EndedEpoch[] = [];
  let stats: SideStats = { spoolBytes: 0, clockOffsetMs: 0, totals: new Map() };
  let closing = false;
  let up = false;
  let restartTimer: NodeJS.Timeout | undefined;
  let failures = 0;
  let onReady: () => void = () => {};
  let onClosed: () => void = () => {};

  function openLife(): Life {
    const memory = { ring: createRingMemory(config.bufferBytes, slabs), sequences: createSequenceMemory() };
    const ring = createRingProducer(memory.ring);
    const sequences = createSequenceWriter(memory.sequences);
    const tally = createTally({ ring, sequences, clock: Date.now });
    return { epoch: newId(), openedAtMs: Date.now(), memory, tally, used: ring.used, cameUp: false };
  }

  function startThread({ memory, epoch, openedAtMs }: Life): Worker {
    const workerData: ThreadData = {
      ...{ config: threadConfig, memory, epoch, openedAtMs, gateway },
      ended: [...ended],
    };
    const worker = new Worker(threadMain, { workerData, name: "capture" });
    worker.on("message", hear);
    worker.on("error", (error) => log.error({ error: messageOf(error) }, "the capture thread failed"));
    worker.once("exit", () => {
      up = false;
      onClosed();
      if (closing) return;
      const waitMs = Math.min(restartMs.first * 2 ** failures, restartMs.most);
      failures += 1;
      log.warn({ waitMs }, "starting the capture thread again");
      restartTimer = setTimeout(restart, waitMs);
    });
    return worker;
  }

  function hear(message: FromThread): void {
    switch (message.kind) {
      case "ready":
        up = true;
        life.cameUp = true;
        failures = 0;
        onReady();
        break;
      case "deployments":
        onDeployments(message.config);
        break;
      case "stats":
        stats = message.stats;
        break;
      case "closed":
        onClosed();
        break;
    }
  }

  function restart(): void {
    if (life.cameUp) {
      ended.push({ epoch: life.epoch, received: life.tally.received() });
      life = openLife();
      onTally();
    }
    thread = startThread(life);
  }

  let life = openLife();
  let thread = startThread(life);
  const cutTimer = setInterval(() => life.tally.cut(), cutEveryMs);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      log.error({ waitedMs: readyMs }, "the capture side is not up; serving without it for now");
      resolve();
    }, readyMs);
    onReady = () => {
      clearTimeout(timer);
      resolve();
    };
  });

  return {
    get tally() {
      return life.tally;
    },
    get stats() {
      return stats;
    },
    get up() {
      return up;
    },
    ring: () => ({ usedBytes: life.used(), bytes: config.bufferBytes + slabs * slabBytes }),

    async close(deadlineMs) {
      closing = true;
      clearInterval(cutTimer);
      clearTimeout(restartTimer);
      const deadlineAtMs = performance.now() + deadlineMs;
      // The ring may be full for a moment; the capture thread is emptying it.
      while (!life.tally.cut() && up && performance.now() < deadlineAtMs) await sleep(5);
      if (up) {
        const message: ToThread = {
          kind: "close",
          deadlineMs: Math.max(0, deadlineAtMs - performance.now() - 200),
        };
        const closed = new Promise<void>((resolve) => {
          onClosed = resolve;
        });
        thread.postMessage(message);
        await Promise.race([closed, sleep(deadlineAtMs - performance.now())]);
      }
      await thread.terminate();
    },
  };
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, ms)).unref());
