import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "../answers/answers-file.js";
import type { AnswerKeeper } from "../answers/keeper.js";
import { type AnswerCollection, collectAnswers, withKeptDetails } from "../answers/keeping.js";
import type { BlobStore } from "../blobs/blobs.js";
import type { Capture } from "../capture/capture.js";
import type { StoredCapture } from "../capture/segment.js";
import { type Policy, policySchema } from "../compare/policy.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { deploymentRedactor, type RedactorOptions } from "../redaction/deployment.js";
import type { Rejudges } from "../store/rejudges.js";
import type { Store } from "../store/store.js";
import type { KeptAnswers, LeasedWork, OutcomeRow, RunKind, WorkRest, WorkSight } from "../store/types.js";
import type { UpstreamRequest } from "../upstream/client.js";
import type { Observation } from "../upstream/observation.js";
import { type HistoryDeps, replayHistory } from "./history.js";
import type { Hosts } from "./hosts.js";
import { type HeldWork, holdWork } from "./lease.js";
import { outcomeWithoutReplay } from "./outcome.js";
import { CandidateAway } from "./presence.js";
import { redactedObservation } from "./redacted.js";
import { rejudge } from "./rejudge.js";
import { type LiveDeps, type Replayed, replayLive } from "./replay-live.js";
import { segmentRows } from "./segment-rows.js";
import type { Suspects } from "./suspects.js";
import type { Turns } from "./turns.js";

export interface ReplayDeps extends LiveDeps {
  store: Pick<Store, "work" | "outcomes">;
  rejudges: Pick<Rejudges, "earlier">;
  blobs: BlobStore;
  answers: AnswerKeeper;
  hosts: Hosts;
  turns: Turns;
  suspects: Suspects;
  /** For one request, its further attempts included, where the candidate's settings do not say. */
  replayTimeoutMs: number;
  responseBytesMax: number;
  /** For the works of replays. */
  history: HistoryDeps;
  /** For the answers of deployments that redact. */
  redaction: RedactorOptions;
}

/**
 * How a work ended in these hands. `not_leased`: it is done, or another's. `lease_lost`: it became another's, and
 * nothing was written. `busy`: its candidate has its share of this process already; it was not touched. `held`: its replay
 * is paused, or has ended; it was handed back. `put_off`: it
 * is to come up again after so long, since its candidate does not answer, or another suspect is in hand. `split`: it
 * had stalled too often, and was parted in these two. `dead`: it can never be done, and says why.
 */
export type ReplayEnd =
  | { end: "committed"; candidate: string; runKind: RunKind; outcomes: readonly OutcomeRow[] }
  | { end: "lease_lost" | "busy" | "held" | "dead"; candidate: string }
  | { end: "put_off"; candidate: string; laterMs: number }
  | { end: "split"; candidate: string; parts: readonly [bigint, bigint] }
  | { end: "not_leased" };

/** A suspect that finds another in hand comes up again after this long. */
const suspectMs = 1_000;

/**
 * Replays the captures of one work to its candidate (for a rejudge: takes the answers that were kept), judges what
 * comes back, and commits all of it in one statement under the work's lease. Delivering the same work again, at the
 * same time or later, changes nothing.
 *
 * @throws what is wrong on our side, and the signal's reason; the work is handed back before.
 */
export async function replayWork(deps: ReplayDeps, workId: bigint, signal: AbortSignal): Promise<ReplayEnd> {
  const { store, turns, suspects } = deps;
  const sight = await store.work.sight(workId);
  if (sight === null) return { end: "not_leased" };
  const candidate = `${sight.deploymentName}/${sight.candidateName}`;
  const away = awayMs(deps, sight);
  if (away !== null) return { end: "put_off", candidate, laterMs: away };
  const suspect = sight.suspect || sight.stalls >= stallsMax;
  const leaveSuspects = suspect ? suspects.enter() : () => {};
  if (leaveSuspects === null) return { end: "put_off", candidate, laterMs: suspectMs };
  const place = turns.enter(candidate, worksAtATime(sight.concurrency));
  try {
    if (place === null) return { end: "busy", candidate };
    // Leased only when it is its turn: a work that merely waits must not stall when this process dies.
    await place.turn(signal);
    return await replayInHand(deps, workId, candidate, signal);
  } finally {
    place?.leave();
    leaveSuspects();
  }
}

/**
 * With one request at a time, one work: more would only wait. With several, one is being read and one committed while
 * the candidate has the requests of a third, so that its lane never runs dry.
 */
const worksAtATime = (concurrency: number) => (concurrency === 1 ? 1 : 3);

/** How long the candidate is left alone by now; null: it is not, or the work is to expire. */
function awayMs({ lanes }: ReplayDeps, { modelVersionId, runKind, expiresAtMs }: WorkSight): number | null {
  if (runKind === "rejudge") return null;
  const { open } = lanes.of(String(modelVersionId)).breaker;
  const nowMs = Date.now();
  if (open === null || open.retryAtMs <= nowMs || (expiresAtMs !== null && expiresAtMs < nowMs)) return null;
  return open.retryAtMs - nowMs;
}

async function replayInHand(
  deps: ReplayDeps,
  workId: bigint,
  candidate: string,
  signal: AbortSignal,
): Promise<ReplayEnd> {
  const { store, log, by, lanes } = deps;
  const held = await holdWork({ work: store.work, log, by }, workId);
  if (held === null) return { end: "not_leased" };
  const { work, lost } = held;
  const dead = async (why: string): Promise<ReplayEnd> => {
    log.error({ work: String(workId), candidate, why }, "work is dead");
    if (await store.work.markDead(workId, work.lease, why)) return { end: "dead", candidate };
    // What it did not find may have been erased just now: then it is another matter when it comes up again.
    await release();
    return { end: "lease_lost", candidate };
  };
  const release = () =>
    store.work.release(workId, work.lease).catch((failure) => {
      log.warn(
        { work: String(workId), error: messageOf(failure) },
        "work not handed back; its lease will run out",
      );
    });
  try {
    const { stalls } = work;
    if (stalls >= stallsMax && (work.rowList?.length ?? work.rows) > 1) {
      const parts = await store.work.split(workId, work.lease);
      return parts === null ? { end: "lease_lost", candidate } : { end: "split", candidate, parts };
    }
    if (stalls >= (work.suspect ? stallsMax + 1 : stallsMax)) {
      return await dead(`stalled: the worker that had it in hand died, or fell silent, ${stalls} times`);
    }
    const outcomes = await replayHeld(deps, held, AbortSignal.any([signal, lost]));
    if (outcomes === null) return { end: "lease_lost", candidate };
    if (outcomes === "held") {
      await release();
      return { end: "held", candidate };
    }
    return { end: "committed", candidate, runKind: work.runKind, outcomes };
  } catch (error) {
    if (lost.aborted) return { end: "lease_lost", candidate };
    if (error instanceof UnderstudyError && hopeless.has(error.code)) {
      return await dead(`${error.code}: ${error.message}`);
    }
    await release();
    if (error instanceof CandidateAway) {
      const retryAtMs = lanes.of(String(work.modelVersionId)).breaker.open?.retryAtMs ?? 0;
      return { end: "put_off", candidate, laterMs: Math.max(suspectMs, retryAtMs - Date.now()) };
    }
    throw error;
  } finally {
    held.drop();
  }
}

/**
 * A work whose worker died or fell silent over it so often is split in half, and a single request given up. Parts begin
 * with one stall, so each further one splits them; a single request that is left of them has one more chance.
 */
const stallsMax = 2;

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
  const { captures, erased } = await segmentRows(deps.blobs, work);
  const collected = collectAnswers(work.keepAnswers);
  const { outcomes, rest } = await judgeAll(deps, { work, captures, policy, collected, stop });
  if (rest.length > 0 && rest.length === captures.length) return "held";
  const found = { work, captures, outcomes, rest, answers: collected.answers };
  const written = await commitKept(deps, found, erased, stop);
  if (written !== null) await endAtFailure(deps, work, written);
  return written;
}

async function judgeAll(deps: ReplayDeps, task: Task): Promise<Replayed> {
  if (task.captures.length === 0) return { outcomes: [], rest: [] };
  const { source } = task.work;
  return source === null
    ? replayAll(deps, task)
    : { outcomes: await rejudge(deps, { ...task, source }), rest: [] };
}

interface Found extends Replayed {
  work: LeasedWork;
  captures: readonly Capture[];
  answers: readonly Answer[];
}

/**
 * Commits what was found, without what was erased. When more is erased meanwhile the commit is refused: then this is
 * left out as well, and nothing is sent again.
 *
 * @returns the outcomes that went in; null: the lease was lost
 */
async function commitKept(
  deps: ReplayDeps,
  { work, captures, outcomes, rest, answers }: Found,
  erased: readonly StoredCapture[],
  stop: AbortSignal,
): Promise<OutcomeRow[] | null> {
  const restRows = restOf(work, captures, rest);
  const places = new Map(captures.map((capture, place) => [rowAt(work, place), capture]));
  const before = erased.map((capture) => outcomeWithoutReplay(capture, "erased", null));
  for (let gone = new Map<string, Capture>(); ; ) {
    const kept = await deps.answers.keep(
      work,
      answers.filter(({ captureId }) => !gone.has(captureId)),
    );
    const rows = withKeptDetails(outcomes, work.keepMatchDetails).map((row) => {
      const capture = gone.get(row.captureId);
      return capture === undefined ? row : outcomeWithoutReplay(capture, "erased", null);
    });
    const end = await commit(deps, { work, rows: [...rows, ...before], answers: kept, rest: restRows }, stop);
    if (end === "committed") return [...rows, ...before];
    if (kept !== null) await deps.answers.discard(kept);
    const left = end === "rewritten" ? await deps.store.work.renew(work.id, work.lease) : null;
    if (left === null) return null;
    gone = new Map(left.flatMap((row) => places.get(row) ?? []).map((capture) => [capture.id, capture]));
  }
}

interface Task {
  work: LeasedWork;
  captures: readonly Capture[];
  policy: Policy;
  collected: AnswerCollection;
  stop: AbortSignal;
}

/** As the candidate's settings say; of a replay as its terms say, too. */
async function replayAll(deps: ReplayDeps, task: Task): Promise<Replayed> {
  const { hosts, replayTimeoutMs, responseBytesMax } = deps;
  const { work } = task;
  const limits = { timeoutMs: work.flow.deadlineMs ?? replayTimeoutMs, responseBytesMax };
  const redactor = deploymentRedactor(work.redaction, work.deploymentId, deps.redaction);
  const redact = (observation: Observation, { call }: UpstreamRequest) =>
    redactedObservation(observation, redactor, call);
  return hosts.use(work.endpoint, work.sha256, (endpoint) => {
    const given = { ...task, endpoint, redact, limits };
    const terms = work.replay;
    return terms === null ? replayLive(deps, given, null) : replayHistory(deps, { ...given, terms });
  });
}

const rowAt = (work: LeasedWork, place: number) => work.rowList?.[place] ?? work.firstRow + place;

/** The rows whose turn did not come, as a work of their own. */
function restOf(work: LeasedWork, captures: readonly Capture[], rest: readonly number[]): WorkRest | null {
  if (rest.length === 0) return null;
  const left = new Set(rest);
  const kept = captures.flatMap((_, place) => (left.has(place) ? [] : [rowAt(work, place)]));
  const terms = work.replay;
  const dueMs =
    terms === null || terms.speed === null
      ? null
      : Math.min(...rest.map((place) => captures[place]!.receivedAtMs)) - terms.skewMs - terms.originMs;
  return { rows: rest.map((place) => rowAt(work, place)), kept, dueMs };
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
): Promise<"committed" | "lease_lost" | "rewritten"> {
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
