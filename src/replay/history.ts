import { setTimeout as sleep } from "node:timers/promises";
import type { Capture } from "../capture/capture.js";
import type { Policy } from "../compare/policy.js";
import { bucketOf } from "../stats/sketch.js";
import type { Replays } from "../store/replays.js";
import type { LeasedWork, OutcomeRow, ReplayTerms } from "../store/types.js";
import type { UpstreamRequest } from "../upstream/client.js";
import type { Endpoint } from "../upstream/endpoint.js";
import type { Observation } from "../upstream/observation.js";
import { notReplayed } from "./outcome.js";
import type { Sender } from "./pacing/sender.js";
import { recordedObservation, requestOf } from "./recorded.js";
import { judged, replayInOrder, type Sides, whyNotReplayed } from "./replay-captures.js";
import { followSequences, strandsOf } from "./sequences.js";
import { sharesOf } from "./shares.js";
import type { TimeLines } from "./time-line.js";

/** What replays of history need beside what live ones do. */
export interface HistoryDeps {
  replays: Pick<Replays, "state" | "fail" | "beginLine">;
  sender: Sender;
  lines: TimeLines;
}

/** How often a worker asks whether its replay still goes on. */
const askMs = 500;

export interface HistoryTask {
  work: LeasedWork;
  terms: ReplayTerms;
  captures: readonly Capture[];
  policy: Policy;
  endpoint: Endpoint;
  sides: Sides;
  /** What may be kept of an answer that the sending thread received. */
  redact: (observation: Observation, request: UpstreamRequest) => Observation;
  limits: { timeoutMs: number; responseBytesMax: number };
  stop: AbortSignal;
}

/** What came of a work: outcomes, and the places of those captures whose turn did not come since the replay was held. */
export interface HistoryResult {
  outcomes: OutcomeRow[];
  rest: number[];
}

/**
 * Replays a work as its replay's terms say: each request at its time on the recorded time line, or as fast as the caps
 * allow. When the replay is paused or ended meanwhile, what is on its way is waited for, and nothing more is sent.
 *
 * @throws the stop signal's reason; what is wrong on our side
 */
export async function replayHistory(deps: HistoryDeps, task: HistoryTask): Promise<HistoryResult> {
  const { work, terms, stop } = task;
  const held = new AbortController();
  const halt = AbortSignal.any([stop, held.signal]);
  const timer = setInterval(() => {
    deps.replays.state(work.runId).then(
      (state) => state !== "running" && held.abort(),
      // Postgres may be away for a while; the lease says when that is too long.
      () => {},
    );
  }, askMs);
  const onFailure = (row: OutcomeRow) => {
    if (row.disposition === "candidate_error" && terms.onFailure === "stop") held.abort();
    return row;
  };
  try {
    const result =
      terms.speed === null
        ? await inParallel(task, halt, onFailure)
        : await paced(deps, task, terms.speed, halt, onFailure);
    stop.throwIfAborted();
    return result;
  } finally {
    clearInterval(timer);
  }
}

/** As many at a time as the work's share of the cap allows, no faster than its share of the rate. */
async function inParallel(
  task: HistoryTask,
  halt: AbortSignal,
  onOutcome: (row: OutcomeRow) => OutcomeRow,
): Promise<HistoryResult> {
  const { captures, terms } = task;
  const { works, requests } = sharesOf(terms.concurrency);
  const everyMs = terms.ratePerSecond === null ? 0 : (1_000 * works) / terms.ratePerSecond;
  const strands = strandsOf(captures);
  const outcomes: OutcomeRow[] = [];
  let next = 0;
  let freeMs = performance.now();

  /** Before each request. */
  async function place(request: UpstreamRequest): Promise<Observation> {
    const waitMs = freeMs - performance.now();
    freeMs = Math.max(freeMs, performance.now()) + everyMs;
    if (waitMs > 0) await sleep(waitMs);
    return task.sides.candidate(request);
  }
  const limited = {
    ...task,
    sides: { ...task.sides, candidate: everyMs === 0 ? task.sides.candidate : place },
  };

  async function run(): Promise<void> {
    for (let strand = strands[next]; strand && !halt.aborted; strand = strands[next]) {
      next += 1;
      const rows = await replayInOrder(
        strand.map((at) => captures[at]!),
        limited,
      );
      for (const row of rows) outcomes.push(onOutcome(row));
    }
  }

  await Promise.all(Array.from({ length: requests }, run));
  const rest = strands.slice(next).flat();
  return { outcomes, rest: rest.sort((a, b) => a - b) };
}

/**
 * Each at its time, from the thread that waits to deadlines. The control, where there is one, is asked after the
 * candidate: before it, it would make the candidate's request late.
 */
async function paced(
  { sender, lines, replays }: HistoryDeps,
  task: HistoryTask,
  speed: number,
  halt: AbortSignal,
  onOutcome: (row: OutcomeRow) => OutcomeRow,
): Promise<HistoryResult> {
  const { work, terms, captures, endpoint, limits, sides, redact, policy } = task;
  const { control, collected } = sides;
  // Before the line begins: the thread takes its time to start.
  await sender.ready(endpoint);
  const lineAtMs = await replays.beginLine(work.runId);
  if (lineAtMs === null) return { outcomes: [], rest: [...captures.keys()] };
  const beginMs = await lines.beginMs(work.runId, lineAtMs);
  const outcomes: OutcomeRow[] = [];
  const rest: number[] = [];
  const answers: Promise<void>[] = [];
  const broken = new AbortController();
  const progress = followSequences();
  const schedule = captures
    .flatMap((capture, place) => {
      const why = whyNotReplayed(capture, work, progress);
      if (why !== null) {
        outcomes.push(notReplayed(capture, why));
        return [];
      }
      // Sent when its time has come, whatever became of the step before.
      progress.answered(capture);
      const atMs = beginMs + (capture.receivedAtMs - terms.skewMs - terms.originMs) / speed;
      return [{ capture, place, atMs, request: requestOf(capture, work) }];
    })
    .sort((a, b) => a.atMs - b.atMs);

  async function answered(capture: Capture, candidate: Observation, lateMs: number): Promise<void> {
    const primary = recordedObservation(capture);
    const asked = control.turnOf(capture, primary) !== "none" && !halt.aborted;
    const seen = asked ? await control.observe(requestOf(capture, work)) : null;
    const row = judged(capture, { primary, candidate, control: seen }, { policy, collected });
    const lag = { series: "lag", label: bucketOf(lateMs), value: lateMs };
    outcomes.push(onOutcome({ ...row, lateMs, facts: [...row.facts, lag] }));
  }

  const group = String(work.runId);
  await sender.send(
    { endpoint, requests: schedule, group, inFlightMax: terms.concurrency, ...limits },
    AbortSignal.any([halt, broken.signal]),
    (at, answer) => {
      const { capture, place, request } = schedule[at]!;
      if ("observation" in answer) {
        const done = answered(capture, redact(answer.observation, request), answer.lateMs);
        // Heard at once: the others may take long, and an error that nobody hears ends the process.
        answers.push(done.catch((error: unknown) => broken.abort(error)));
      } else if (answer.unsent === "late") outcomes.push(notReplayed(capture, "never_sent"));
      else rest.push(place);
    },
  );
  await Promise.all(answers);
  broken.signal.throwIfAborted();
  return { outcomes, rest: rest.sort((a, b) => a - b) };
}
