// Main script of the thread that sends paced requests: nothing else runs in it, so nothing else delays them.
import { parentPort, workerData } from "node:worker_threads";
import { loadConfig } from "../../config.js";
import { messageOf } from "../../errors.js";
import { createUpstream } from "../../upstream/client.js";
import { monotonicMs } from "./clock.js";
import type { FromThread, ToThread } from "./messages.js";
import { type Cap, createPacer, type Due, type Sent } from "./pacer.js";

const port = parentPort!;
const { environment } = workerData as { environment: NodeJS.ProcessEnv };
const upstream = createUpstream({ config: loadConfig(environment), atOnce: true });
const pacer = createPacer(monotonicMs, tellAll);

type Begin = Extract<ToThread, { kind: "begin" }>;
type Chunk = Extract<ToThread, { kind: "chunk" }>;

/** Connections that stand by while there is a task: after a delay several requests are due at once. */
const spareConnections = 8;
const spareCheckMs = 500;

const tasks = new Map<number, Begin & { keeper: NodeJS.Timeout }>();
/** By the name of their group, with how many tasks use each. */
const caps = new Map<string, Cap & { tasks: number }>();

/**
 * Not one by one: to wake another thread for each answer would keep this one from its deadlines. Answers that have waited
 * so long are told just behind a deadline; where there is none, a little later.
 */
const batchMs = 25;
const batchMsMax = 2 * batchMs;
let batch: FromThread[] = [];
let batchSinceMs = 0;
let batchTimer: NodeJS.Timeout | undefined;

function tell(message: FromThread): void {
  if (batch.length === 0) {
    batchSinceMs = monotonicMs();
    batchTimer = setTimeout(flush, batchMsMax);
  }
  batch.push(message);
}

function tellAll(): void {
  if (batch.length > 0 && monotonicMs() - batchSinceMs >= batchMs) flush();
}

function flush(): void {
  clearTimeout(batchTimer);
  port.postMessage(batch);
  batch = [];
}

function begin(message: Begin): void {
  const { task, group, inFlightMax, endpoint } = message;
  const cap = caps.get(group) ?? { inFlightMax, inFlight: 0, waiting: [], tasks: 0 };
  cap.tasks += 1;
  caps.set(group, cap);
  const keepReady = () => upstream.keepReady(endpoint, Math.min(spareConnections, inFlightMax));
  keepReady();
  tasks.set(task, { ...message, keeper: setInterval(keepReady, spareCheckMs) });
  port.postMessage([{ kind: "next", task }]);
}

function end(id: number): void {
  const task = tasks.get(id);
  const cap = task && caps.get(task.group);
  tasks.delete(id);
  if (task === undefined || cap === undefined) return;
  clearInterval(task.keeper);
  cap.tasks -= 1;
  if (cap.tasks === 0) caps.delete(task.group);
}

function halt(id: number): void {
  const task = tasks.get(id);
  if (task) pacer.halt(id, caps.get(task.group)!);
}

function add({ task: id, from, atMs, template, lengths, bytes }: Chunk): void {
  const task = tasks.get(id);
  if (task === undefined) return;
  const { endpoint, timeoutMs, responseBytesMax, templates } = task;
  const cap = caps.get(task.group)!;
  const due: Due[] = [];
  let offset = 0;
  for (let i = 0; i < atMs.length; i += 1) {
    const body = bytes.subarray(offset, offset + lengths[i]!);
    offset += body.length;
    const request = { ...templates[template[i]!]!, body };
    due.push({
      atMs: atMs[i]!,
      cap,
      task: id,
      send: () => upstream.send(endpoint, request, { timeoutMs, responseBytesMax }),
      done: (sent) => report(id, from + i, sent),
    });
  }
  pacer.add(due);
  port.postMessage([{ kind: "next", task: id }]);
}

function report(task: number, place: number, sent: Sent): void {
  if (sent.sent) tell({ kind: "sent", task, place, observation: sent.observation, lateMs: sent.lateMs });
  else if (sent.why === "error") tell({ kind: "failed", task, place, message: messageOf(sent.error) });
  else tell({ kind: "unsent", task, place, why: sent.why });
}

port.on("message", (message: ToThread) => {
  switch (message.kind) {
    case "ready":
      upstream.keepReady(message.endpoint, spareConnections);
      return port.postMessage([{ kind: "ready" }]);
    case "begin":
      return begin(message);
    case "chunk":
      return add(message);
    case "halt":
      return halt(message.task);
    case "end":
      return end(message.task);
  }
});
