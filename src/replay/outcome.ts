import type { Capture } from "../capture/capture.js";
import { factsOf } from "../compare/facts.js";
import { noiseFacts } from "../compare/noise.js";
import type { Comparison } from "../compare/types.js";
import type { OutcomeRow } from "../store/types.js";
import type { Observation } from "../upstream/observation.js";

/**
 * Why a capture was not replayed. `redacted`: the model would be asked something else than the primary was.
 * `answer_not_kept`: of a rejudge.
 */
export type NotReplayedReason = "redacted" | "answer_not_kept" | "sequence_broken" | "never_sent";

/**
 * How one capture ended: what the candidate did, and what became of the comparison. A failure of the candidate alone
 * is a `candidate_error`; where the primary had failed too there is nothing to hold against it. Whatever the control
 * does changes none of that.
 *
 * @param seen.control null: the capture was not replayed to it
 * @param seen.noise the primary's and the control's answers compared
 */
export function outcomeOf(
  capture: Capture,
  seen: {
    primary: Observation;
    candidate: Observation;
    comparison: Comparison;
    control: Observation | null;
    noise: Comparison | null;
  },
): OutcomeRow {
  const { primary, candidate, comparison, control, noise } = seen;
  const disposition = !candidate.ok && primary.ok ? "candidate_error" : "compared";
  const reason = !candidate.ok && primary.ok ? candidate.failure : null;
  const candidateMs = candidate.ok ? candidate.latencyMs : null;
  const answeredMs = control?.ok ? control.latencyMs : null;
  // Pairs of latencies need the twin's failures as they need the candidate's.
  const controlMs = control?.ok === false ? Number.POSITIVE_INFINITY : answeredMs;
  const { sample, primaryMs } = capture;
  const context = { sample, disposition, reason, primaryMs, candidateMs, controlMs: answeredMs } as const;
  const facts = factsOf(comparison, context);
  return {
    captureId: capture.id,
    capturedAtMs: capture.receivedAtMs,
    sample,
    disposition,
    reason,
    result: comparison.result,
    kind: comparison.kind,
    signature: comparison.signature,
    flip: comparison.flip,
    primaryVersion: capture.primaryVersion,
    primaryMs,
    candidateMs,
    controlMs,
    attempts: candidate.attempts.length,
    maxAbs: comparison.maxAbs,
    maxRel: comparison.maxRel,
    details: detailsOf(comparison, candidate),
    outputs: comparison.outputs,
    facts: noise === null ? facts : [...facts, ...noiseFacts(noise)],
  };
}

/**
 * How a capture ended that was not replayed, or whose replay gave nothing to judge.
 *
 * @param why a word for what was not replayed, which is counted; a sentence for what is dead, which is shown
 */
export function outcomeWithoutReplay(
  capture: Pick<Capture, "id" | "receivedAtMs" | "sample" | "primaryMs" | "primaryVersion">,
  disposition: "not_replayed" | "expired" | "dead" | "erased",
  why: string | null,
): OutcomeRow {
  const { sample, primaryMs } = capture;
  const context = { sample, disposition, reason: disposition === "not_replayed" ? why : null };
  return {
    ...context,
    captureId: capture.id,
    capturedAtMs: capture.receivedAtMs,
    result: null,
    kind: null,
    signature: null,
    flip: null,
    primaryVersion: capture.primaryVersion,
    primaryMs,
    candidateMs: null,
    controlMs: null,
    attempts: 0,
    maxAbs: null,
    maxRel: null,
    details: disposition === "dead" ? { message: why, attempts: [], parameters: [] } : null,
    outputs: [],
    facts: factsOf(null, { ...context, primaryMs, candidateMs: null, controlMs: null }),
  };
}

/** What is shown beside the outcome. Most comparisons match at the first attempt; those need none. */
function detailsOf({ result, message, parameters }: Comparison, { attempts }: Observation): object | null {
  if (result === "match" && attempts.length === 1 && parameters.length === 0) return null;
  return { message: message ?? null, attempts, parameters };
}

/** A capture that has no comparison, since there was none to be made of it. */
export function notReplayed(capture: Capture, reason: NotReplayedReason): OutcomeRow {
  return outcomeWithoutReplay(capture, "not_replayed", reason);
}
