import { lagP99MsMax } from "../replay/lag.js";
import { countAbove, sizeOf } from "../stats/sketch.js";
import type { ReplayFidelity } from "../store/replay-fidelity.js";
import type { Replay as StoredReplay } from "../store/replay-types.js";
import type { SeriesCounts } from "../store/types.js";
import type { CandidateLedger, Replay } from "./api.js";
import { latencyOf, noCounts } from "./summary.js";

type Series = ReadonlyMap<string, SeriesCounts>;

/** Above this a request counts as late. */
const lateMs = 10;

/**
 * @param series of its run, over all time
 * @param fidelity of a paced replay
 */
export function replayView(replay: StoredReplay, series: Series, fidelity: ReplayFidelity): Replay {
  const { runId, speed, works, lengthMs, lineAtMs, interruptions } = replay;
  const ledger = ledgerOf(replay, series.get("dispositions")?.counts ?? new Map());
  const ended = sumOf(ledger) - ledger.pending - (ledger.notReplayed.cancelled ?? 0);
  return {
    id: runId,
    deployment: replay.deployment,
    candidate: replay.candidate,
    target: replay.target,
    selection: replay.selection,
    filter: replay.filter,
    policyVersion: replay.policyVersion,
    pace: speed === null ? "max" : speed === 1 ? "original" : speed,
    concurrency: replay.concurrency,
    ratePerSecond: replay.ratePerSecond,
    onFailure: replay.onFailure,
    state: replay.state,
    error: replay.error,
    captures: replay.captures,
    ended,
    ledger,
    balanced: sumOf(ledger) === replay.captures,
    works,
    line: speed === null ? null : { lengthMs, beganAt: lineAtMs, interruptions, ...skewOf(fidelity) },
    lag: speed === null ? null : lagOf(series.get("lag") ?? noCounts, ledger, fidelity),
    createdAt: replay.createdAtMs,
    startedAt: replay.startedAtMs,
    endedAt: replay.endedAtMs,
  };
}

/** The account of what was planned. Outcomes are counted by the commits, what is open or was given up by the works. */
function ledgerOf(
  { pending, cancelled }: StoredReplay,
  counts: ReadonlyMap<string, number>,
): CandidateLedger {
  const notReplayed = byReason(counts, "not_replayed:");
  if (cancelled > 0) notReplayed.cancelled = cancelled;
  return {
    compared: counts.get("compared") ?? 0,
    candidateError: byReason(counts, "candidate_error:"),
    notReplayed,
    expired: counts.get("expired") ?? 0,
    dead: counts.get("dead") ?? 0,
    erased: counts.get("erased") ?? 0,
    pending,
  };
}

function sumOf(ledger: CandidateLedger): number {
  const { compared, candidateError, notReplayed, expired, dead, erased, pending } = ledger;
  return compared + total(candidateError) + total(notReplayed) + expired + dead + erased + pending;
}

function byReason(counts: ReadonlyMap<string, number>, prefix: string): Record<string, number> {
  return Object.fromEntries(
    [...counts].flatMap(([label, n]) => (label.startsWith(prefix) ? [[label.slice(prefix.length), n]] : [])),
  );
}

function skewOf({ skew }: ReplayFidelity) {
  const offsets = skew.map(({ offsetMs }) => offsetMs);
  return { skew, skewMs: offsets.length === 0 ? 0 : Math.max(...offsets) - Math.min(...offsets) };
}

function lagOf(
  lag: SeriesCounts,
  { notReplayed }: CandidateLedger,
  { driftMs }: ReplayFidelity,
): NonNullable<Replay["lag"]> {
  const { p50, p99 } = latencyOf(lag);
  const neverSent = notReplayed.never_sent ?? 0;
  return {
    sent: sizeOf(lag.sketch),
    p50,
    p99,
    max: lag.max,
    late: countAbove(lag.sketch, lateMs),
    neverSent,
    driftMs,
    latencyCounts: neverSent === 0 && p99 !== null && p99 <= lagP99MsMax,
  };
}

const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, n) => sum + n, 0);
