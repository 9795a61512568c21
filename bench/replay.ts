import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { createClock } from "../src/replay/pacing/clock.js";
import { createSender, type Sender } from "../src/replay/pacing/sender.js";
import type { BenchContext, BenchResult } from "./bench.js";
import { modelPath, requestBody } from "./replay/requests.js";

// How exactly a paced replay's sender keeps its deadlines, measured where the requests arrive. Beside it, in turns, a
// bare sender: a thread that waits by Atomics.wait and writes to a socket, and never reads; and relative sleeps.

const rates = [200, 1_000] as const;
const leadMs = 1_000;
const now = createClock();

/** Receives on a port, in a process of its own. */
interface Receiver {
  port: number;
  /** When each request arrived, by its id, since the last time this was asked. */
  arrivals(): Promise<Map<number, number>>;
}

export async function bench(context: BenchContext): Promise<BenchResult> {
  const seconds = context.seconds ?? 60;
  const receiver = await startReceiver(context);
  const sender = createSender({ config: { environment: {} } });
  context.onEnd(sender.close);
  await ours(sender, receiver, schedule(100, 1));
  const ratios: number[] = [];
  const drifts: number[] = [];
  for (const rate of rates) {
    const before = lateness(await bare(receiver, schedule(rate, seconds / 2)));
    const sent = lateness(await ours(sender, receiver, schedule(rate, seconds)));
    const after = lateness(await bare(receiver, schedule(rate, seconds / 2)));
    const peer = [...before, ...after];
    const slept = lateness(await relativeSleeps(receiver, rate, Math.min(10, seconds)));
    ratios.push(quantile(sent, 0.99) / quantile(peer, 0.99));
    drifts.push(drift(sent));
    context.say(
      `${rate}/s  late at the receiver, p50 and p99 in ms: ours ${shown(sent)}, bare ${shown(peer)}; ` +
        `drift over ${seconds} s ${drift(sent).toFixed(3)} ms; relative sleeps drift ${drift(slept).toFixed(1)} ms in ${Math.min(10, seconds)} s`,
    );
  }
  const speedError = await tenfold(sender, receiver, seconds, context);
  return {
    ratios: {
      lateness_p99_vs_bare_sender: Math.max(...ratios),
      drift_ms: Math.max(...drifts.map(Math.abs)),
      speed_error: speedError,
    },
    missing: [],
  };
}

/** Deadlines on the monotonic clock, evenly spaced. */
function schedule(rate: number, seconds: number): number[] {
  const beginMs = now() + leadMs;
  return Array.from({ length: Math.round(rate * seconds) }, (_, i) => beginMs + (i * 1_000) / rate);
}

interface Arrived {
  due: readonly number[];
  at: ReadonlyMap<number, number>;
}

/** In the order of the deadlines. @throws when a request did not arrive */
function lateness({ due, at }: Arrived): number[] {
  return due.map((atMs, id) => {
    const arrivedMs = at.get(id);
    if (arrivedMs === undefined) throw new Error(`request ${id} of ${due.length} did not arrive`);
    return arrivedMs - atMs;
  });
}

async function ours(sender: Sender, receiver: Receiver, due: number[]): Promise<Arrived> {
  const endpoint = { url: `http://127.0.0.1:${receiver.port}`, model: "bench", version: null, headers: {} };
  const headers = { "content-type": "application/json" };
  const requests = due.map((atMs, id) => ({
    atMs,
    request: { call: "infer" as const, headers, body: requestBody(id) },
  }));
  await sender.send(
    { endpoint, requests, group: "bench", inFlightMax: 256, timeoutMs: 10_000, responseBytesMax: 10_000 },
    new AbortController().signal,
    (place, answer) => {
      if (!("observation" in answer) || !answer.observation.ok) {
        const why = "observation" in answer ? "failed" : "was more than a second overdue, and not sent";
        throw new Error(`request ${place} of ${due.length} ${why}: is the machine busy?`);
      }
    },
  );
  return { due, at: await receiver.arrivals() };
}

async function bare(receiver: Receiver, due: number[]): Promise<Arrived> {
  const thread = new Worker(new URL("./replay/bare-sender.js", import.meta.url), {
    workerData: { port: receiver.port, atMs: Float64Array.from(due) },
  });
  await once(thread, "message");
  await thread.terminate();
  return { due, at: await receiver.arrivals() };
}

/** What one writes first: send, sleep for the distance to the next, send. */
async function relativeSleeps(receiver: Receiver, rate: number, seconds: number): Promise<Arrived> {
  const count = Math.round(rate * seconds);
  const url = `http://127.0.0.1:${receiver.port}${modelPath}`;
  const beginMs = now();
  const sent: Promise<unknown>[] = [];
  for (let id = 0; id < count; id += 1) {
    sent.push(fetch(url, { method: "POST", body: requestBody(id) }).then((answered) => answered.text()));
    await new Promise((resolve) => setTimeout(resolve, 1_000 / rate));
  }
  await Promise.all(sent);
  const due = Array.from({ length: count }, (_, i) => beginMs + (i * 1_000) / rate);
  return { due, at: await receiver.arrivals() };
}

/** A recording of 100 requests a second, sent ten times as fast: how far its time is from a tenth, as a share. */
async function tenfold(sender: Sender, receiver: Receiver, seconds: number, { say }: BenchContext) {
  const { at } = await ours(sender, receiver, schedule(1_000, seconds / 10));
  const times = [...at.values()];
  const tookMs = Math.max(...times) - Math.min(...times);
  const wantedMs = (seconds * 1_000 - 10) / 10;
  say(`${seconds} s recorded, ten times as fast: ${(tookMs / 1_000).toFixed(3)} s`);
  return Math.abs(tookMs / wantedMs - 1);
}

/** Median of the last tenth minus that of the first: a few that are late are no drift. */
function drift(late: readonly number[]): number {
  const tenth = Math.max(1, Math.floor(late.length / 10));
  return quantile(late.slice(-tenth), 0.5) - quantile(late.slice(0, tenth), 0.5);
}

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
}

const shown = (late: readonly number[]) =>
  `${quantile(late, 0.5).toFixed(2)} ${quantile(late, 0.99).toFixed(2)}`;

async function startReceiver({ onEnd }: BenchContext): Promise<Receiver> {
  const child: ChildProcess = fork(fileURLToPath(new URL("./replay/receiver.js", import.meta.url)));
  onEnd(() => child.kill());
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  return {
    port,
    async arrivals() {
      child.send("arrivals");
      const [{ arrivals }] = (await once(child, "message")) as [{ arrivals: [number, number][] }];
      return new Map(arrivals);
    },
  };
}
