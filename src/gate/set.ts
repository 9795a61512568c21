/**
 * How the requests of a gate's set ended: of a live run the base sample alone, up to the watermark; of a sealed selection
 * the members that were read.
 */
export interface SetCounts {
  captured: number;
  matches: number;
  mismatches: number;
  ignored: number;
  incomparable: number;
  /** Of the comparisons in which an output declares a decision: those in which one changed, and all. */
  flips: number;
  decided: number;
  candidateError: Record<string, number>;
  notReplayed: Record<string, number>;
  expired: number;
  dead: number;
  erased: number;
}

/** Latencies of the same requests, in milliseconds; Infinity where a side did not answer. */
export interface LatencyPairs {
  reference: "control" | "primary";
  candidateMs: Float64Array;
  referenceMs: Float64Array;
  /** Pairs of a sealed selection that are not among these, at most; `Infinity` for live traffic. */
  remaining: number;
}

/** All that a verdict hangs on. */
export interface GateSample {
  counts: SetCounts;
  /** Captured longer than a minute ago and not finished when the set was frozen, so behind the watermark. */
  waiting: number;
  /** Requests of a sealed selection that were not read; `Infinity` for live traffic, which is a stream. */
  remaining: number;
  balanced: boolean;
  /** null: nothing was replayed to a control, and the primary is not accepted instead. */
  latency: LatencyPairs | null;
  /** Why latencies say nothing although there are some; null: they do. */
  latencyVoid: string | null;
}

/** Captures that wait for longer than this are no longer on their way: they are missing. */
export const patienceMs = 60_000;

export const sum = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((total, n) => total + n, 0);

/** Comparisons that say match or mismatch. */
export function samplesOf({ matches, mismatches }: SetCounts): number {
  return matches + mismatches;
}

/** Requests that were replayed and came to something: an answer, or a named failure. */
export function finishedOf(counts: SetCounts): number {
  const { ignored, incomparable, candidateError } = counts;
  return samplesOf(counts) + ignored + incomparable + sum(candidateError);
}

/** Finished ÷ captured; what was erased since is owed by nobody. null: nothing was captured. */
export function coverageOf({ counts, waiting }: Pick<GateSample, "counts" | "waiting">): number | null {
  const owed = counts.captured - counts.erased + waiting;
  return owed <= 0 ? null : finishedOf(counts) / owed;
}
