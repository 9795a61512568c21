import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { monotonicMs as now } from "../src/replay/pacing/clock.js";
import { lateMsMax } from "../src/replay/pacing/pacer.js";
import { createSender, type Sender } from "../src/replay/pacing/sender.js";
import type { BenchContext, BenchResult } from "./bench.js";
import { driftOf, latenessOf, p99OfBlocks, shown } from "./replay/lateness.js";
import { modelPath, requestBody } from "./replay/requests.js";

// How exactly a paced replay's sender keeps its deadlines, measured where the requests arrive. Beside it, in turns on
// one time line, a bare sender: a thread that waits by Atomics.wait and writes to a socket, and never reads; and
// relative sleeps.

const rates = [200, 1_000] as const;
const leadMs = 1_500;
/** Each sends for so long, then the other does: what else the machine has to do meets both alike. */
const blockSeconds = 5;
/** As the product does: the time line is cut into slices, which are handed over ahead of their time. */
const sliceMs = 2_000;
const aheadMs = 4_000;
const secondsOfSleeps = 10;

/** Receives on a port, in a process of its own. */
interface Receiver {
  port: number;
  /** When each request arrived, by its id, since the last time this was asked. */
  arrivals(): Promise<Map<number, number>>;
}

interface Due {
  id: number;
  atMs: number;
}

export async function bench(context: BenchContext): Promise<BenchResult> {
  const seconds = context.seconds ?? 60;
  const receiver = await startReceiver(context);
  const sender = createSender({ config: { environment: {} } });
  context.onEnd(sender.close);
  // Once beforehand: what runs for the first time is compiled meanwhile.
  await sendOurs(sender, receiver, evenly(1_000, 1, now() + leadMs));
  await receiver.arrivals();
  const ratios: number[] = [];
  const drifts: number[] = [];
  for (const rate of rates) {
    const { ours, bare, neverSent } = await takeTurns(sender, receiver, rate, seconds);
    const slept = await relativeSleeps(receiver, rate, Math.min(secondsOfSleeps, seconds));
    const perBlock = rate * Math.min(blockSeconds, seconds);
    const ratio = p99OfBlocks(ours, perBlock) / p99OfBlocks(bare, perBlock);
    ratios.push(ratio);
    drifts.push(Math.abs(driftOf(ours)));
    context.say(
      `${rate}/s for ${seconds} s  late at the receiver, ms: ours ${shown(ours, perBlock)}, never sent ${neverSent}; bare ${shown(bare, perBlock)}; ` +
        `ratio of the blocks' p99 ${ratio.toFixed(2)}; drift ${driftOf(ours).toFixed(3)} ms, of relative sleeps ` +
        `${driftOf(slept).toFixed(0)} ms in ${Math.min(secondsOfSleeps, seconds)} s`,
    );
  }
  const speedError = await tenfold(sender, receiver, seconds, context);
  return {
    ratios: {
      lateness_p99_vs_bare_sender: Math.max(...ratios),
      drift_ms: Math.max(...drifts),
      speed_error: speedError,
    },
    missing: [],
  };
}

/** How late each request of both was at the receiver, milliseconds, in the order of their deadlines. */
async function takeTurns(sender: Sender, receiver: Receiver, rate: number, seconds: number) {
  const blocks = Math.ceil(seconds / blockSeconds);
  const length = Math.min(blockSeconds, seconds);
  const beginMs = now() + leadMs;
  const ofTurn = (turn: 0 | 1) =>
    Array.from({ length: blocks }, (_, block) =>
      evenly(rate, length, beginMs + (2 * block + turn) * length * 1_000, (2 * block + turn) * rate * length),
    ).flat();
  const [ours, bare] = [ofTurn(0), ofTurn(1)];
  const [neverSent] = await Promise.all([sendOurs(sender, receiver, ours), sendBare(receiver, bare)]);
  const arrivals = await receiver.arrivals();
  for (const { id, atMs } of ours) if (neverSent.has(id)) arrivals.set(id, atMs + lateMsMax);
  return {
    ours: latenessOf(ours, arrivals),
    bare: latenessOf(bare, arrivals),
    neverSent: neverSent.size,
  };
}

/** Deadlines on the monotonic clock, evenly spaced. */
function evenly(rate: number, seconds: number, beginMs: number, firstId = 0): Due[] {
  return Array.from({ length: Math.round(rate * seconds) }, (_, i) => ({
    id: firstId + i,
    atMs: beginMs + (i * 1_000) / rate,
  }));
}

/** @returns the ids of those that were overdue by more than a second, and not sent */
async function sendOurs(sender: Sender, receiver: Receiver, due: readonly Due[]): Promise<Set<number>> {
  const endpoint = { url: `http://127.0.0.1:${receiver.port}`, model: "bench", version: null, headers: {} };
  const headers = { "content-type": "application/json" };
  const under: Promise<void>[] = [];
  const neverSent = new Set<number>();
  for (let from = 0; from < due.length; ) {
    const untilMs = due[from]!.atMs + sliceMs;
    const end = due.findIndex(({ atMs }, i) => i > from && atMs >= untilMs);
    const slice = due.slice(from, end < 0 ? due.length : end);
    from += slice.length;
    await sleep(Math.max(0, slice[0]!.atMs - aheadMs - now()));
    const requests = slice.map(({ id, atMs }) => ({
      atMs,
      request: { call: "infer" as const, headers, body: requestBody(id) },
    }));
    const sent = sender.send(
      { endpoint, requests, group: "bench", inFlightMax: 256, timeoutMs: 10_000, responseBytesMax: 10_000 },
      new AbortController().signal,
      (place, answer) => {
        if ("observation" in answer && !answer.observation.ok) {
          throw new Error(`request ${slice[place]!.id} failed: ${answer.observation.message}`);
        }
        // More than a second overdue: the machine stood still. It counts as that late.
        if ("unsent" in answer) neverSent.add(slice[place]!.id);
      },
    );
    under.push(sent);
  }
  await Promise.all(under);
  return neverSent;
}

async function sendBare(receiver: Receiver, due: readonly Due[]): Promise<void> {
  const thread = new Worker(new URL("./replay/bare-sender.js", import.meta.url), {
    workerData: {
      port: receiver.port,
      ids: Int32Array.from(due, ({ id }) => id),
      atMs: Float64Array.from(due, ({ atMs }) => atMs),
    },
  });
  await once(thread, "message");
  await thread.terminate();
}

/** What one writes first: send, sleep for the distance to the next, send. */
async function relativeSleeps(receiver: Receiver, rate: number, seconds: number): Promise<number[]> {
  const url = `http://127.0.0.1:${receiver.port}${modelPath}`;
  const due = evenly(rate, seconds, now());
  const sent: Promise<unknown>[] = [];
  for (const { id } of due) {
    sent.push(fetch(url, { method: "POST", body: requestBody(id) }).then((answered) => answered.text()));
    await sleep(1_000 / rate);
  }
  await Promise.all(sent);
  return latenessOf(due, await receiver.arrivals());
}

/** A recording of 100 requests a second, sent ten times as fast: how far its time is from a tenth, as a share. */
async function tenfold(sender: Sender, receiver: Receiver, seconds: number, { say }: BenchContext) {
  const recorded = evenly(100, seconds, 0);
  const beginMs = now() + leadMs;
  await sendOurs(
    sender,
    receiver,
    recorded.map(({ id, atMs }) => ({ id, atMs: beginMs + atMs / 10 })),
  );
  const arrivals = await receiver.arrivals();
  const tookMs = arrivals.get(recorded.at(-1)!.id)! - arrivals.get(recorded[0]!.id)!;
  const wantedMs = recorded.at(-1)!.atMs / 10;
  say(`${seconds} s recorded, ten times as fast: ${(tookMs / 1_000).toFixed(3)} s`);
  return Math.abs(tookMs / wantedMs - 1);
}

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
