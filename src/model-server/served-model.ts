import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ModelDescription } from "./description.js";
import type { Inference } from "./inference.js";
import { createInferenceStats, type InferenceStats } from "./inference-stats.js";
import { createQuarantine } from "./quarantine.js";

/** What became of an inference. */
export type InferenceOutcome =
  | { kind: "ran"; outputs: Tensor[] }
  /** onnxruntime refused the input. */
  | { kind: "failed"; message: string }
  /** The inference process ended while it had this input. */
  | { kind: "died"; message: string }
  /** Not tried: this very input has ended the process too often. */
  | { kind: "quarantined" }
  /** Not tried: too many wait already, or the process is being restarted. */
  | { kind: "unavailable"; message: string }
  /** Not tried: the client had gone by the time it was this request's turn. */
  | { kind: "abandoned" };

export interface InferenceInput {
  inputs: readonly Tensor[];
  outputs: readonly string[];
  /** Whether the client still waits. */
  wanted: () => boolean;
}

/** A model with its inference process, which is started again when it ends, and the requests that wait for it. */
export interface ServedModel {
  readonly name: string;
  readonly description: ModelDescription;
  readonly stats: InferenceStats;
  isReady(): boolean;
  infer(input: InferenceInput): Promise<InferenceOutcome>;
  close(): Promise<void>;
}

/** Requests that may wait for one model; the next are told to come again. */
const waitingMax = 256;
const waitingBytesMax = 512 * 1024 ** 2;
const backoffMs = { first: 100, most: 10_000 };

interface Waiting extends InferenceInput {
  bytes: number;
  sinceNs: bigint;
  settle(outcome: InferenceOutcome): void;
}

/**
 * Serves a model that `inference` has loaded. `restart` loads the same file again, on the same provider; it is called, with
 * growing pauses, until it succeeds.
 */
export function serveModel(deps: {
  name: string;
  inference: Inference;
  restart: () => Promise<Inference>;
  log: Logger;
}): ServedModel {
  const { name, restart, log } = deps;
  const { description } = deps.inference;
  const stats = createInferenceStats();
  const quarantine = createQuarantine();
  const waiting: Waiting[] = [];
  const closing = new AbortController();
  let waitingBytes = 0;
  let inference: Inference | null = deps.inference;
  let pauseMs = backoffMs.first;
  let busy = false;

  function take(): Waiting | undefined {
    const next = waiting.shift();
    if (next) waitingBytes -= next.bytes;
    return next;
  }

  async function run(input: Waiting, by: Inference): Promise<InferenceOutcome> {
    const queueNs = Number(process.hrtime.bigint() - input.sinceNs);
    const started = process.hrtime.bigint();
    try {
      const answer = await by.run(input.inputs, input.outputs);
      if (answer.kind === "ran") {
        pauseMs = backoffMs.first;
        stats.succeeded(queueNs, answer.times);
        return { kind: "ran", outputs: answer.outputs };
      }
      stats.failed(Number(process.hrtime.bigint() - started));
      return { kind: "failed", message: answer.kind === "failed" ? answer.message : "an unexpected answer" };
    } catch (error) {
      stats.failed(Number(process.hrtime.bigint() - started));
      if (!closing.signal.aborted) quarantine.died(input);
      return { kind: "died", message: messageOf(error) };
    }
  }

  /** Asked when its turn has come: an input that waits may be the same as one that has just killed. */
  async function outcomeOf(next: Waiting, by: Inference): Promise<InferenceOutcome> {
    if (!next.wanted()) return { kind: "abandoned" };
    if (quarantine.holds(next)) return { kind: "quarantined" };
    return run(next, by);
  }

  async function work(): Promise<void> {
    if (busy) return;
    busy = true;
    while (inference !== null) {
      const next = take();
      if (next === undefined) break;
      next.settle(await outcomeOf(next, inference));
    }
    busy = false;
  }

  async function keep(first: Inference): Promise<void> {
    for (let current: Inference | null = first; current !== null; current = await another()) {
      inference = current;
      const how = await current.exited;
      inference = null;
      // These have not been tried, so they may safely be sent again.
      for (let next = take(); next; next = take()) {
        next.settle({ kind: "unavailable", message: `the inference process ended (${how})` });
      }
      if (!closing.signal.aborted) log.error({ model: name, how }, "inference process ended");
    }
  }

  /** The next inference process; null when closing. */
  async function another(): Promise<Inference | null> {
    while (!closing.signal.aborted) {
      log.info({ model: name, inMs: pauseMs }, "starting another inference process");
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, backoffMs.most);
      if (closing.signal.aborted) break;
      try {
        const next = await restart();
        if (!closing.signal.aborted) return next;
        await next.close();
      } catch (error) {
        log.error({ model: name, error: messageOf(error) }, "inference process did not start");
      }
    }
    return null;
  }

  const kept = keep(deps.inference);
  return {
    name,
    description,
    stats,
    isReady: () => inference !== null,
    infer: ({ inputs, outputs, wanted }) => {
      const bytes = inputs.reduce((sum, input) => sum + input.data.length, 0);
      if (inference === null) {
        return Promise.resolve({ kind: "unavailable", message: "the inference process is being restarted" });
      }
      if (waiting.length >= waitingMax || waitingBytes + bytes > waitingBytesMax) {
        return Promise.resolve({ kind: "unavailable", message: `${waiting.length} requests wait already` });
      }
      return new Promise((settle) => {
        waiting.push({ inputs, outputs, wanted, bytes, sinceNs: process.hrtime.bigint(), settle });
        waitingBytes += bytes;
        void work();
      });
    },
    async close() {
      closing.abort();
      await inference?.close();
      await kept;
    },
  };
}
