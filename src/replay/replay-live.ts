import { setMaxListeners } from "node:events";
import type { AnswerCollection } from "../answers/keeping.js";
import type { Capture } from "../capture/capture.js";
import type { Policy } from "../compare/policy.js";
import type { Logger } from "../log.js";
import type { Breakers } from "../store/breakers.js";
import type { LeasedWork, OutcomeRow } from "../store/types.js";
import type { SendLimits, Upstream, UpstreamRequest } from "../upstream/client.js";
import type { Endpoint } from "../upstream/endpoint.js";
import type { Observation } from "../upstream/observation.js";
import { askHosted, crashesMax } from "./ask-hosted.js";
import { type Control, createControl } from "./control.js";
import type { Gaps } from "./gaps.js";
import { isHosted } from "./hosts.js";
import type { Lane, Lanes, Line } from "./lanes.js";
import { notReplayed, outcomeWithoutReplay } from "./outcome.js";
import { probe } from "./presence.js";
import { recordedObservation, requestOf } from "./recorded.js";
import { judged, whyNotReplayed } from "./replay-captures.js";
import { followSequences, type SequenceProgress, strandsOf } from "./sequences.js";

export interface LiveDeps {
  upstream: Pick<Upstream, "send" | "describe">;
  lanes: Lanes;
  gaps: Gaps;
  breakers: Breakers;
  onBreaker: (candidate: string, open: boolean) => void;
  log: Logger;
  /** Name of this worker, for people. */
  by: string;
  /** Share of the base sample that is replayed to the control as well, where there is one. */
  controlShare: number;
}

export interface LiveTask {
  work: LeasedWork;
  captures: readonly Capture[];
  policy: Policy;
  collected: AnswerCollection;
  /** Where the candidate answers. */
  endpoint: Endpoint;
  /** What may be kept of an answer. */
  redact: (observation: Observation, request: UpstreamRequest) => Observation;
  limits: Pick<SendLimits, "timeoutMs" | "responseBytesMax">;
  stop: AbortSignal;
}

/** What holds a replay of history back, beside its candidate's settings. */
export interface Reins {
  /** Requests of the work in flight at most. */
  requests: number;
  /**
   * Resolves when the next request may go; false: none is to be begun any more. What has begun, a sequence, goes on.
   *
   * @param begins it is no further step of a sequence
   */
  next(begins: boolean): Promise<boolean>;
  onOutcome(row: OutcomeRow): void;
}

/** What came of a work: outcomes, and the places of those captures whose turn did not come, both in their order. */
export interface Replayed {
  outcomes: OutcomeRow[];
  rest: number[];
}

/**
 * Replays each capture to the candidate, as many at a time as its settings allow; steps of a sequence one after the
 * other.
 *
 * @param reins of a replay of history; null: nothing else holds the work back, and nothing is left over
 * @throws CandidateAway when it does not answer at all; the signal's reason
 */
export async function replayLive(deps: LiveDeps, task: LiveTask, reins: Reins | null): Promise<Replayed> {
  const { work, captures, endpoint, stop } = task;
  const lane = deps.lanes.of(String(work.modelVersionId));
  const due = captures.some((capture) => !isExpired(work, capture));
  if (due && lane.breaker.open !== null) await probe(deps, work, endpoint, lane.breaker);
  const failed = new AbortController();
  const signal = AbortSignal.any([stop, failed.signal]);
  // Every request under way listens; Node takes more than ten listeners for a leak, and says so.
  setMaxListeners(0, signal);
  const line = lane.line(work.flow, signal);
  const sides = sidesOf(deps, task, lane, line, signal);
  const progress = followSequences();
  const rows: OutcomeRow[] = [];
  const atATime = Math.min(work.flow.concurrency, reins?.requests ?? Number.POSITIVE_INFINITY);
  // One at a time they go in the order in which they were captured, which keeps each sequence's.
  const strands = atATime === 1 && reins === null ? captures.map((_, at) => [at]) : strandsOf(captures);
  let next = 0;
  /** One of several that take the captures in turn. */
  const take = async (): Promise<void> => {
    /** Of the answer before: no more than one of each waits to be judged, since answers may be large. */
    let judging: Promise<void> | null = null;
    try {
      while (next < strands.length) {
        for (const [step, at] of strands[next++]!.entries()) {
          if (reins !== null) {
            // What the answer before comes to may be the end of the replay.
            await judging;
            if (!(await reins.next(step === 0))) return;
          }
          const rowOf = await replayOne(captures[at]!, sides, task, progress);
          await judging;
          judging = deps.gaps.run(() => {
            const row = rowOf();
            rows[at] = row;
            reins?.onOutcome(row);
          });
          // Told where it is waited for.
          judging.catch(() => {});
        }
      }
      await judging;
    } catch (error) {
      failed.abort(error);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atATime, strands.length) }, take));
  line.leave();
  // The first that failed ended the others, so its reason is the one that says why.
  failed.signal.throwIfAborted();
  const rest = captures.flatMap((_, at) => (rows[at] === undefined ? [at] : []));
  return { outcomes: rest.length === 0 ? rows : rows.filter((row) => row !== undefined), rest };
}

interface Sides {
  /** null: the input ended the candidate's process. */
  candidate: (request: UpstreamRequest) => Promise<Observation | null>;
  control: Control;
  line: Line;
}

function sidesOf(deps: LiveDeps, task: LiveTask, lane: Lane, line: Line, signal: AbortSignal): Sides {
  const { upstream } = deps;
  const { work, endpoint, redact } = task;
  const { flow } = work;
  const limits = { ...task.limits, retries: flow.retries, signal };
  const send = (request: UpstreamRequest) => upstream.send(endpoint, request, limits);
  const ready = () =>
    upstream.describe(endpoint).then(
      (model) => model.ready,
      () => false,
    );
  return {
    control: controlOf(deps, task, signal),
    line,
    async candidate(request) {
      const observation = isHosted(work.endpoint)
        ? await askHosted(() => send(request), ready, signal)
        : await send(request);
      if (observation === null) return null;
      if (lane.breaker.record(observation, flow.breakerFailures)) {
        await probe(deps, work, endpoint, lane.breaker);
      }
      return redact(observation, request);
    },
  };
}

/** The control of a work; it is asked as often as the candidate's settings say, if it refuses. */
export function controlOf(deps: LiveDeps, task: Omit<LiveTask, "captures">, signal: AbortSignal): Control {
  const { upstream, controlShare, log } = deps;
  const { work, redact, limits } = task;
  const { control, flow } = work;
  const sent = { ...limits, retries: flow.retries, signal };
  return createControl({
    send: control && (async (request) => redact(await upstream.send(control, request, sent), request)),
    share: controlShare,
    stop: signal,
    log,
  });
}

/** @returns what makes the outcome of what was seen */
async function replayOne(
  capture: Capture,
  { candidate: ask, control: twin, line }: Sides,
  { work, policy, collected }: LiveTask,
  progress: SequenceProgress,
): Promise<() => OutcomeRow> {
  const why = whyNotReplayed(capture, work, progress);
  if (why !== null) return () => notReplayed(capture, why);
  const primary = recordedObservation(capture);
  const request = requestOf(capture, work);
  const turn = twin.turnOf(capture, primary);
  const seen = await line.pass(async () => {
    if (isExpired(work, capture)) return null;
    const before = turn === "before" ? await twin.observe(request) : null;
    const candidate = await ask(request);
    return { candidate, control: turn === "after" ? await twin.observe(request) : before };
  });
  if (seen === null) return () => outcomeWithoutReplay(capture, "expired", null);
  const { candidate, control } = seen;
  if (candidate === null) return () => outcomeWithoutReplay(capture, "dead", deadly);
  if (candidate.ok) progress.answered(capture);
  return () => judged(capture, { primary, candidate, control }, { policy, collected });
}

const deadly = `the candidate's process died of this input ${crashesMax} times`;

/** History that a run was filled up with is old on purpose. */
function isExpired({ flow, runKind, backfill }: LeasedWork, { receivedAtMs }: Capture): boolean {
  return (
    flow.maxAgeMs !== null && runKind === "live" && !backfill && Date.now() - receivedAtMs > flow.maxAgeMs
  );
}
