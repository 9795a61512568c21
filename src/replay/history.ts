import { setTimeout as sleep } from "node:timers/promises";
import type { Capture } from "../capture/capture.js";
import { bucketOf } from "../stats/sketch.js";
import type { Replays } from "../store/replays.js";
import type { OutcomeRow, ReplayTerms } from "../store/types.js";
import type { Observation } from "../upstream/observation.js";
import { notReplayed } from "./outcome.js";
import type { Sender } from "./pacing/sender.js";
import { CandidateAway, probe } from "./presence.js";
import { recordedObservation, requestOf } from "./recorded.js";
import { judged, whyNotReplayed } from "./replay-captures.js";
import {
  controlOf,
  type LiveDeps,
  type LiveTask,
  type Reins,
  type Replayed,
  replayLive,
} from "./replay-live.js";
import { followSequences } from "./sequences.js";
import { sharesOf } from "./shares.js";
import type { TimeLines } from "./time-line.js";

/** What replays of history need beside what live ones do. */
export interface HistoryDeps {
  replays: Pick<Replays, "state" | "fail" | "beginLine" | "holdLine">;
  sender: Sender;
  lines: TimeLines;
}

type Deps = LiveDeps & { history: HistoryDeps };

/** How often a worker asks whether its replay still goes on. */
const askMs = 500;

export interface HistoryTask extends LiveTask {
  terms: ReplayTerms;
}

/**
 * Replays a work as its replay's terms say: each request at its time on the recorded time line, or as fast as the caps
 * allow. When the replay is paused or ended meanwhile, what is on its way is waited for, and nothing more is sent.
 *
 * @throws CandidateAway when the target does not answer at all; the stop signal's reason; what is wrong on our side
 */
export async function replayHistory(deps: Deps, task: HistoryTask): Promise<Replayed> {
  const { work, terms, stop } = task;
  const held = new AbortController();
  const halt = AbortSignal.any([stop, held.signal]);
  const timer = setInterval(() => {
    deps.history.replays.state(work.runId).then(
      (state) => state !== "running" && held.abort(),
      // Postgres may be away for a while; the lease says when that is too long.
      () => {},
    );
  }, askMs);
  const onOutcome = (row: OutcomeRow) => {
    if (row.disposition === "candidate_error" && terms.onFailure === "stop") held.abort();
  };
  try {
    const result =
      terms.speed === null
        ? await replayLive(deps, task, reinsOf(task, halt, onOutcome))
        : await paced(deps, task, terms.speed, halt, onOutcome);
    stop.throwIfAborted();
    return result;
  } finally {
    clearInterval(timer);
  }
}

/** As many at a time as the work's share of the cap allows, no faster than its share of the rate. */
function reinsOf(
  { terms, stop }: HistoryTask,
  halt: AbortSignal,
  onOutcome: (row: OutcomeRow) => void,
): Reins {
  const { works, requests } = sharesOf(terms.concurrency);
  const everyMs = terms.ratePerSecond === null ? 0 : (1_000 * works) / terms.ratePerSecond;
  // The first waits too: works that begin one after the other, in whatever process, keep the rate together.
  let freeMs = performance.now() + everyMs;
  return {
    requests,
    onOutcome,
    async next(begins) {
      const nowMs = performance.now();
      const waitMs = freeMs - nowMs;
      freeMs = Math.max(freeMs, nowMs) + everyMs;
      // Whoever is halted looks below; whoever is stopped is told when the request is sent.
      if (everyMs > 0 && waitMs > 0) {
        await sleep(waitMs, undefined, { signal: begins ? halt : stop }).catch(() => {});
      }
      return !(begins && halt.aborted);
    },
  };
}

/**
 * Each at its time, once, from the thread that waits to deadlines. The control, where there is one, is asked after the
 * candidate: before it, it would make the candidate's request late. While the candidate is away the line stands still:
 * the slice is handed back, and done again when it is there.
 */
async function paced(
  deps: Deps,
  task: HistoryTask,
  speed: number,
  halt: AbortSignal,
  onOutcome: (row: OutcomeRow) => void,
): Promise<Replayed> {
  const { sender, lines, replays } = deps.history;
  const { work, terms, captures, endpoint, limits, redact, policy, collected, stop } = task;
  const { breaker } = deps.lanes.of(String(work.modelVersionId));
  if (breaker.open !== null) await probe(deps, work, endpoint, breaker);
  const control = controlOf(deps, task, stop);
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

  let asking: Promise<void> | null = null;
  /** Once for all that fail at a time. */
  async function requireThere(): Promise<void> {
    asking ??= probe(deps, work, endpoint, breaker).finally(() => {
      asking = null;
    });
    await asking;
  }

  async function answered(capture: Capture, candidate: Observation, lateMs: number): Promise<void> {
    if (breaker.record(candidate, work.flow.breakerFailures)) await requireThere();
    const primary = recordedObservation(capture);
    const asked = control.turnOf(capture, primary) !== "none" && !halt.aborted;
    const seen = asked ? await control.observe(requestOf(capture, work)) : null;
    const row = judged(capture, { primary, candidate, control: seen }, { policy, collected });
    const lag = { series: "lag", bucket: bucketOf(lateMs), value: lateMs };
    outcomes.push({ ...row, lateMs, facts: [...row.facts, lag] });
    onOutcome(row);
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
  if (broken.signal.reason instanceof CandidateAway) await replays.holdLine(work.runId, lineAtMs);
  broken.signal.throwIfAborted();
  return { outcomes, rest: rest.sort((a, b) => a - b) };
}
