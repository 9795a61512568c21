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

/**
 * Replays each capture to the candidate, as many at a time as its settings allow; steps of a sequence one after the
 * other. Outcomes in the order of the captures.
 *
 * @throws CandidateAway when it does not answer at all; the signal's reason
 */
export async function replayLive(deps: LiveDeps, task: LiveTask): Promise<OutcomeRow[]> {
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
  // One at a time they go in the order in which they were captured, which keeps each sequence's.
  const strands = work.flow.concurrency === 1 ? captures.map((_, at) => [at]) : strandsOf(captures);
  let next = 0;
  /** One of several that take the captures in turn. */
  const take = async (): Promise<void> => {
    /** Of the answer before: no more than one of each waits to be judged, since answers may be large. */
    let judging: Promise<void> | null = null;
    try {
      while (next < strands.length) {
        for (const at of strands[next++]!) {
          const rowOf = await replayOne(captures[at]!, sides, task, progress);
          await judging;
          judging = deps.gaps.run(() => {
            rows[at] = rowOf();
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
  await Promise.all(Array.from({ length: Math.min(work.flow.concurrency, strands.length) }, take));
  line.leave();
  // The first that failed ended the others, so its reason is the one that says why.
  failed.signal.throwIfAborted();
  return rows;
}

interface Sides {
  /** null: the input ended the candidate's process. */
  candidate: (request: UpstreamRequest) => Promise<Observation | null>;
  control: Control;
  line: Line;
}

function sidesOf(deps: LiveDeps, task: LiveTask, lane: Lane, line: Line, signal: AbortSignal): Sides {
  const { upstream, controlShare, log } = deps;
  const { work, endpoint, redact } = task;
  const { flow } = work;
  const limits = { ...task.limits, retries: flow.retries, signal };
  const sendTo = (to: Endpoint) => async (request: UpstreamRequest) =>
    redact(await upstream.send(to, request, limits), request);
  const send = sendTo(endpoint);
  const ready = () =>
    upstream.describe(endpoint).then(
      (model) => model.ready,
      () => false,
    );
  return {
    control: createControl({
      send: work.control && sendTo(work.control),
      share: controlShare,
      stop: signal,
      log,
    }),
    line,
    async candidate(request) {
      const observation = isHosted(work.endpoint)
        ? await askHosted(() => send(request), ready, signal)
        : await send(request);
      if (observation !== null && lane.breaker.record(observation, flow.breakerFailures)) {
        await probe(deps, work, endpoint, lane.breaker);
      }
      return observation;
    },
  };
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
