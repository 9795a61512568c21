import { setTimeout as sleep } from "node:timers/promises";
import type { AnswerKeeper } from "../answers/keeper.js";
import { type AnswerCollection, collectAnswers } from "../answers/keeping.js";
import type { BlobStore } from "../blobs/blobs.js";
import type { Capture } from "../capture/capture.js";
import { type Policy, policySchema } from "../compare/policy.js";
import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { deploymentRedactor, type RedactorOptions } from "../redaction/deployment.js";
import { isInputRedacted } from "../redaction/marks.js";
import type { Rejudges } from "../store/rejudges.js";
import type { Store } from "../store/store.js";
import type { KeptAnswers, LeasedWork, OutcomeRow, RunKind } from "../store/types.js";
import type { Upstream, UpstreamRequest } from "../upstream/client.js";
import type { Endpoint } from "../upstream/endpoint.js";
import type { Observation } from "../upstream/observation.js";
import { type Control, createControl } from "./control.js";
import type { Hosts } from "./hosts.js";
import { type HeldWork, holdWork } from "./lease.js";
import { type NotReplayedReason, notReplayed, outcomeOf } from "./outcome.js";
import { recordedObservation, requestOf } from "./recorded.js";
import { judgeRedacted, redactedObservation } from "./redacted.js";
import { rejudge } from "./rejudge.js";
import { segmentRows } from "./segment-rows.js";
import { followSequences, type SequenceProgress } from "./sequences.js";
import type { Turns } from "./turns.js";

export interface ReplayDeps {
  store: Pick<Store, "work" | "outcomes">;
  rejudges: Pick<Rejudges, "earlier">;
  blobs: BlobStore;
  answers: AnswerKeeper;
  upstream: Pick<Upstream, "send">;
  hosts: Hosts;
  turns: Turns;
  log: Logger;
  /** Name of this worker, for people. */
  by: string;
  /** For one request, its further attempts included. */
  replayTimeoutMs: number;
  responseBytesMax: number;
  /** Share of the base sample that is replayed to the control as well, where there is one. */
  controlShare: number;
  /** For the answers of deployments that redact. */
  redaction: RedactorOptions;
}

/**
 * How a work ended in these hands. `not_leased`: it is done, or another's. `lease_lost`: it became another's, and
 * nothing was written. `busy`: its candidate has its share of this process already; it was handed back. `dead`: it
 * can never be done, and says why.
 */
export type ReplayEnd =
  | { end: "committed"; candidate: string; runKind: RunKind; outcomes: readonly OutcomeRow[] }
  | { end: "lease_lost" | "busy" | "dead"; candidate: string }
  | { end: "not_leased" };

/**
 * Replays the captures of one work to its candidate (for a rejudge: takes the answers that were kept), judges what
 * comes back, and commits all of it in one statement under the work's lease. Delivering the same work again, at the same time or later, changes nothing.
 *
 * @throws what is wrong on our side, and the signal's reason; the work is handed back before.
 */
export async function replayWork(deps: ReplayDeps, workId: bigint, signal: AbortSignal): Promise<ReplayEnd> {
  const { store, turns, log, by } = deps;
  const held = await holdWork({ work: store.work, log, by }, workId);
  if (held === null) return { end: "not_leased" };
  const { work, lost } = held;
  const candidate = `${work.deploymentName}/${work.candidateName}`;
  const place = turns.enter(candidate);
  try {
    if (place === null) {
      await store.work.release(workId, work.lease);
      return { end: "busy", candidate };
    }
    const stop = AbortSignal.any([signal, lost]);
    await place.turn(stop);
    const outcomes = await replayHeld(deps, held, stop);
    if (outcomes === null) return { end: "lease_lost", candidate };
    return { end: "committed", candidate, runKind: work.runKind, outcomes };
  } catch (error) {
    if (lost.aborted) return { end: "lease_lost", candidate };
    if (error instanceof UnderstudyError && hopeless.has(error.code)) {
      log.error({ work: String(workId), error: error.message }, "work is dead");
      const marked = await store.work.markDead(workId, work.lease, `${error.code}: ${error.message}`);
      return { end: marked ? "dead" : "lease_lost", candidate };
    }
    await store.work.release(workId, work.lease).catch((failure) => {
      log.warn(
        { work: String(workId), error: messageOf(failure) },
        "work not handed back; its lease will run out",
      );
    });
    throw error;
  } finally {
    place?.leave();
    held.drop();
  }
}

/** Errors that no further delivery would cure. */
const hopeless: ReadonlySet<string> = new Set(["blob_missing", "blob_corrupt", "model_invalid"]);

/** The outcomes that were committed; null when the lease was lost. */
async function replayHeld(
  deps: ReplayDeps,
  { work }: HeldWork,
  stop: AbortSignal,
): Promise<OutcomeRow[] | null> {
  const policy = policySchema.parse(work.policy);
  const captures = await segmentRows(deps.blobs, work);
  const { source } = work;
  const collected = collectAnswers(work.keepAnswers);
  const outcomes = source
    ? await rejudge(deps, { work, source, captures, policy, stop })
    : await replayAll(deps, { work, captures, policy, collected, stop });
  const answers = await deps.answers.keep(work, collected.answers);
  if ((await commit(deps, work, outcomes, answers, stop)) === "committed") return outcomes;
  if (answers !== null) await deps.answers.discard(answers);
  return null;
}

interface Task {
  work: LeasedWork;
  captures: readonly Capture[];
  policy: Policy;
  collected: AnswerCollection;
  stop: AbortSignal;
}

/** Each capture to the candidate, one after the other. */
async function replayAll(
  deps: ReplayDeps,
  { work, captures, policy, collected, stop }: Task,
): Promise<OutcomeRow[]> {
  const { hosts, upstream, replayTimeoutMs, responseBytesMax, controlShare, log } = deps;
  const limits = { timeoutMs: replayTimeoutMs, responseBytesMax, signal: stop };
  const redactor = deploymentRedactor(work.redaction, work.deploymentId, deps.redaction);
  const sendTo = (endpoint: Endpoint) => async (request: UpstreamRequest) =>
    redactedObservation(await upstream.send(endpoint, request, limits), redactor, request.call);
  return hosts.use(work.endpoint, work.sha256, async (endpoint) => {
    const control = createControl({
      send: work.control && sendTo(work.control),
      share: controlShare,
      stop,
      log,
    });
    const sides: Sides = { candidate: sendTo(endpoint), control, collected };
    const rows: OutcomeRow[] = [];
    const progress = followSequences();
    for (const capture of captures) {
      const why = whyNotReplayed(capture, work, progress);
      const row = why ? notReplayed(capture, why) : await replayCapture(capture, sides, policy);
      if (row.candidateMs !== null) progress.answered(capture);
      rows.push(row);
    }
    return rows;
  });
}

function whyNotReplayed(
  capture: Capture,
  { redaction }: Pick<LeasedWork, "redaction">,
  progress: SequenceProgress,
): NotReplayedReason | null {
  if (isInputRedacted(capture.redacted) && !redaction.replayRedacted) return "redacted";
  return progress.mayReplay(capture) ? null : "sequence_broken";
}

interface Sides {
  candidate: (request: UpstreamRequest) => Promise<Observation>;
  control: Control;
  collected: AnswerCollection;
}

async function replayCapture(capture: Capture, sides: Sides, policy: Policy): Promise<OutcomeRow> {
  const primary = recordedObservation(capture);
  const request = requestOf(capture);
  const turn = sides.control.turnOf(capture, primary);
  const before = turn === "before" ? await sides.control.observe(request) : null;
  const candidate = await sides.candidate(request);
  const control = turn === "after" ? await sides.control.observe(request) : before;
  const nowMs = Date.now();
  const judgeAgainst = (other: Observation) =>
    judgeRedacted(capture.redacted, { primary, candidate: other }, policy, nowMs, { call: request.call });
  const comparison = judgeAgainst(candidate);
  sides.collected.offer(capture.id, candidate, comparison.result);
  return outcomeOf(capture, {
    primary,
    candidate,
    comparison,
    control,
    noise: control && judgeAgainst(control),
  });
}

/** Pauses before the commit is sent again. */
const commitPausesMs = [250, 1_000];

/** Whether a commit that failed had gone through is not known; sent again under the same lease it says so. */
async function commit(
  { store, log }: ReplayDeps,
  { id, lease }: LeasedWork,
  rows: readonly OutcomeRow[],
  answers: KeptAnswers | null,
  stop: AbortSignal,
): Promise<"committed" | "lease_lost"> {
  const judgedAtMs = Date.now();
  for (let tries = 0; ; tries += 1) {
    try {
      return await store.outcomes.commitWork({ workId: id, lease, judgedAtMs, rows, answers });
    } catch (error) {
      const pauseMs = commitPausesMs[tries];
      if (pauseMs === undefined) throw error;
      log.warn({ work: String(id), error: messageOf(error) }, "commit failed, sending it again");
      await sleep(pauseMs, undefined, { signal: stop });
    }
  }
}
