import { setTimeout as sleep } from "node:timers/promises";
import type { AnswerKeeper } from "../answers/keeper.js";
import { type AnswerCollection, collectAnswers } from "../answers/keeping.js";
import type { BlobStore } from "../blobs/blobs.js";
import type { Capture } from "../capture/capture.js";
import { type Policy, policySchema } from "../compare/policy.js";
import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { deploymentRedactor, type RedactorOptions } from "../redaction/deployment.js";
import type { Rejudges } from "../store/rejudges.js";
import type { Store } from "../store/store.js";
import type { KeptAnswers, LeasedWork, OutcomeRow, RunKind, WorkRest } from "../store/types.js";
import type { Upstream, UpstreamRequest } from "../upstream/client.js";
import type { Endpoint } from "../upstream/endpoint.js";
import type { Observation } from "../upstream/observation.js";
import { createControl } from "./control.js";
import { type HistoryDeps, type HistoryResult, replayHistory } from "./history.js";
import type { Hosts } from "./hosts.js";
import { type HeldWork, holdWork } from "./lease.js";
import { redactedObservation } from "./redacted.js";
import { rejudge } from "./rejudge.js";
import { replayInOrder } from "./replay-captures.js";
import { segmentRows } from "./segment-rows.js";
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
  /** For the works of replays. */
  history: HistoryDeps;
  /** Share of the base sample that is replayed to the control as well, where there is one. */
  controlShare: number;
  /** For the answers of deployments that redact. */
  redaction: RedactorOptions;
}

/**
 * How a work ended in these hands. `not_leased`: it is done, or another's. `lease_lost`: it became another's, and
 * nothing was written. `busy`: its candidate has its share of this process already; it was handed back. `held`: its
 * replay is paused, or has ended; it was handed back. `dead`: it can never be done, and says why.
 */
export type ReplayEnd =
  | { end: "committed"; candidate: string; runKind: RunKind; outcomes: readonly OutcomeRow[] }
  | { end: "lease_lost" | "busy" | "held" | "dead"; candidate: string }
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
    if (outcomes === "held") {
      await store.work.release(workId, work.lease);
      return { end: "held", candidate };
    }
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

/** The outcomes that were committed; null when the lease was lost, "held" when the work's replay is. */
async function replayHeld(
  deps: ReplayDeps,
  { work }: HeldWork,
  stop: AbortSignal,
): Promise<OutcomeRow[] | "held" | null> {
  if (work.replay !== null && work.replay.state !== "running") return "held";
  const policy = policySchema.parse(work.policy);
  const captures = await segmentRows(deps.blobs, work);
  const { source } = work;
  const collected = collectAnswers(work.keepAnswers);
  const { outcomes, rest } = source
    ? { outcomes: await rejudge(deps, { work, source, captures, policy, stop }), rest: [] }
    : await replayAll(deps, { work, captures, policy, collected, stop });
  if (rest.length === captures.length) return "held";
  const answers = await deps.answers.keep(work, collected.answers);
  const restRows = restOf(work, captures, rest);
  if ((await commit(deps, { work, rows: outcomes, answers, rest: restRows }, stop)) === "committed") {
    await endAtFailure(deps, work, outcomes);
    return outcomes;
  }
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

/** Live: each capture to the candidate, one after the other. Of a replay: as its terms say. */
async function replayAll(deps: ReplayDeps, task: Task): Promise<HistoryResult> {
  const { hosts, upstream, replayTimeoutMs, responseBytesMax, controlShare, log } = deps;
  const { work, captures, policy, collected, stop } = task;
  const limits = { timeoutMs: replayTimeoutMs, responseBytesMax };
  const redactor = deploymentRedactor(work.redaction, work.deploymentId, deps.redaction);
  const redact = (observation: Observation, { call }: UpstreamRequest) =>
    redactedObservation(observation, redactor, call);
  const sendTo = (endpoint: Endpoint) => async (request: UpstreamRequest) =>
    redact(await upstream.send(endpoint, request, { ...limits, signal: stop }), request);
  return hosts.use(work.endpoint, work.sha256, async (endpoint) => {
    const control = createControl({
      send: work.control && sendTo(work.control),
      share: controlShare,
      stop,
      log,
    });
    const send = sendTo(endpoint);
    const sides = { candidate: send, control, collected };
    const terms = work.replay;
    if (terms !== null) {
      return replayHistory(deps.history, { ...task, terms, endpoint, sides, redact, limits });
    }
    return { outcomes: await replayInOrder(captures, { work, sides, policy }), rest: [] };
  });
}

/** The rows whose turn did not come, as a work of their own. */
function restOf(work: LeasedWork, captures: readonly Capture[], rest: readonly number[]): WorkRest | null {
  if (rest.length === 0) return null;
  const rowAt = (place: number) => work.rowList?.[place] ?? work.firstRow + place;
  const left = new Set(rest);
  const kept = captures.flatMap((_, place) => (left.has(place) ? [] : [rowAt(place)]));
  const terms = work.replay;
  const dueMs =
    terms === null || terms.speed === null
      ? null
      : Math.min(...rest.map((place) => captures[place]!.receivedAtMs)) - terms.skewMs - terms.originMs;
  return { rows: rest.map(rowAt), kept, dueMs };
}

async function endAtFailure({ history }: ReplayDeps, work: LeasedWork, outcomes: readonly OutcomeRow[]) {
  if (work.replay?.onFailure !== "stop") return;
  const failure = outcomes.find(({ disposition }) => disposition === "candidate_error");
  if (failure === undefined) return;
  const { message } = (failure.details ?? {}) as { message?: string | null };
  const said = message ? `: ${message}` : "";
  await history.replays.fail(work.runId, `A request failed with ${failure.reason}${said}`);
}

/** Pauses before the commit is sent again. */
const commitPausesMs = [250, 1_000];

/** Whether a commit that failed had gone through is not known; sent again under the same lease it says so. */
async function commit(
  { store, log }: ReplayDeps,
  done: { work: LeasedWork; rows: readonly OutcomeRow[]; answers: KeptAnswers | null; rest: WorkRest | null },
  stop: AbortSignal,
): Promise<"committed" | "lease_lost"> {
  const judgedAtMs = Date.now();
  const { work, rows, answers, rest } = done;
  const { id, lease } = work;
  for (let tries = 0; ; tries += 1) {
    try {
      return await store.outcomes.commitWork({ workId: id, lease, judgedAtMs, rows, answers, rest });
    } catch (error) {
      const pauseMs = commitPausesMs[tries];
      if (pauseMs === undefined) throw error;
      log.warn({ work: String(id), error: messageOf(error) }, "commit failed, sending it again");
      await sleep(pauseMs, undefined, { signal: stop });
    }
  }
}
