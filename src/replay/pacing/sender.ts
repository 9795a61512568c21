import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Config } from "../../config.js";
import { UnderstudyError } from "../../errors.js";
import { packageRoot } from "../../paths.js";
import type { UpstreamRequest } from "../../upstream/client.js";
import type { Endpoint } from "../../upstream/endpoint.js";
import type { Observation } from "../../upstream/observation.js";
import type { FromThread, Template, ToThread } from "./messages.js";

const threadMain = join(packageRoot, "dist/src/replay/pacing/sender-thread.js");

/** Requests handed to the thread at a time. */
const chunkSize = 64;

/** A request, and when it is to be sent on this machine's monotonic clock, milliseconds. */
export interface PacedRequest {
  atMs: number;
  request: UpstreamRequest;
}

/** What came back, and how long after its time it was sent; or that it was not sent, since it was late or halted. */
export type PacedAnswer = { observation: Observation; lateMs: number } | { unsent: "late" | "halted" };

export interface PacedTask {
  endpoint: Endpoint;
  /** In the order of their times. */
  requests: readonly PacedRequest[];
  /** Tasks of one group share the cap. */
  group: string;
  inFlightMax: number;
  timeoutMs: number;
  responseBytesMax: number;
}

/** Sends requests at their times, from a thread of its own. */
export interface Sender {
  /** Resolves when the thread runs. Connections to the endpoint are opened meanwhile. */
  ready(endpoint: Endpoint): Promise<void>;
  /**
   * @param onAnswer told once for each request that was answered or will not be sent, by its place in the task
   * @returns resolves when all were told. @throws what is wrong on our side
   */
  send(
    task: PacedTask,
    halt: AbortSignal,
    onAnswer: (place: number, answer: PacedAnswer) => void,
  ): Promise<void>;
  close(): Promise<void>;
}

/** Those who wait for the thread to run. */
interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

interface Open {
  message(message: Exclude<FromThread, { kind: "ready" }>): void;
  fail(error: Error): void;
}

/** The thread is started when it is first needed. */
export function createSender({ config }: { config: Pick<Config, "environment"> }): Sender {
  let thread: Worker | null = null;
  let tasks = 0;
  const awaited = new Set<Waiter>();
  const open = new Map<number, Open>();

  function started(): Worker {
    if (thread !== null) return thread;
    const { environment } = config;
    const worker = new Worker(threadMain, { workerData: { environment } });
    const failed = (error: Error) => {
      if (thread === worker) thread = null;
      for (const each of [...open.values()]) each.fail(error);
      for (const each of awaited) each.reject(error);
      awaited.clear();
    };
    worker.on("message", (messages: FromThread[]) => {
      for (const message of messages) {
        if (message.kind !== "ready") open.get(message.task)?.message(message);
        else {
          for (const each of awaited) each.resolve();
          awaited.clear();
        }
      }
    });
    worker.on("error", failed);
    worker.on("exit", (code) => failed(new Error(`the sending thread ended with ${code}`)));
    // It keeps no process alive that has nothing else to do.
    worker.unref();
    thread = worker;
    return worker;
  }

  return {
    ready: (endpoint) =>
      new Promise((resolve, reject) => {
        awaited.add({ resolve, reject });
        started().postMessage({ kind: "ready", endpoint } satisfies ToThread);
      }),
    send: (task, halt, onAnswer) =>
      new Promise((resolve, reject) => {
        const { requests, endpoint, group, inFlightMax, timeoutMs, responseBytesMax } = task;
        if (requests.length === 0) return resolve();
        const id = ++tasks;
        const worker = started();
        const tell = (message: ToThread, transfer: ArrayBuffer[] = []) =>
          worker.postMessage(message, transfer);
        const { templates, indexes } = templatesOf(requests);
        let handed = 0;
        let told = 0;

        const end = (act: () => void) => {
          if (!open.delete(id)) return;
          halt.removeEventListener("abort", onHalt);
          tell({ kind: "end", task: id });
          act();
        };
        const answer = (place: number, given: PacedAnswer) => {
          try {
            onAnswer(place, given);
          } catch (error) {
            return end(() => reject(error));
          }
          told += 1;
          if (told === requests.length) end(resolve);
        };
        const onHalt = () => {
          tell({ kind: "halt", task: id });
          while (handed < requests.length) answer(handed++, { unsent: "halted" });
        };
        const hand = () => {
          if (handed === requests.length) return;
          const chunk = requests.slice(handed, handed + chunkSize);
          const message = chunkOf(id, handed, chunk, indexes.slice(handed, handed + chunk.length));
          handed += chunk.length;
          tell(message, [message.bytes.buffer]);
        };
        open.set(id, {
          fail: (error) => end(() => reject(error)),
          message: (message) => {
            switch (message.kind) {
              case "next":
                return hand();
              case "sent":
                return answer(message.place, { observation: message.observation, lateMs: message.lateMs });
              case "unsent":
                return answer(message.place, { unsent: message.why });
              case "failed":
                return end(() => reject(new UnderstudyError("config_invalid", message.message)));
            }
          },
        });
        tell({
          kind: "begin",
          task: id,
          endpoint,
          group,
          inFlightMax,
          timeoutMs,
          responseBytesMax,
          templates,
        });
        halt.addEventListener("abort", onHalt, { once: true });
        if (halt.aborted) onHalt();
      }),
    close: async () => {
      const worker = thread;
      thread = null;
      await worker?.terminate();
    },
  };
}

/** Most requests of a task have the same headers: said once. */
function templatesOf(requests: readonly PacedRequest[]) {
  const known = new Map<string, number>();
  const templates: Template[] = [];
  const indexes = requests.map(({ request: { call, headers } }) => {
    const key = JSON.stringify([call, headers]);
    let index = known.get(key);
    if (index === undefined) {
      index = templates.push({ call, headers }) - 1;
      known.set(key, index);
    }
    return index;
  });
  return { templates, indexes };
}

function chunkOf(task: number, from: number, requests: readonly PacedRequest[], indexes: number[]) {
  const lengths = Int32Array.from(requests, ({ request }) => request.body.length);
  const bytes = new Uint8Array(new ArrayBuffer(lengths.reduce((sum, n) => sum + n, 0)));
  let at = 0;
  for (const { request } of requests) {
    bytes.set(request.body, at);
    at += request.body.length;
  }
  return {
    kind: "chunk" as const,
    task,
    from,
    atMs: Float64Array.from(requests, ({ atMs }) => atMs),
    template: Int32Array.from(indexes),
    lengths,
    bytes,
  };
}
