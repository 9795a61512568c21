import type { AnswerCollection } from "../answers/keeping.js";
import type { Capture } from "../capture/capture.js";
import type { Policy } from "../compare/policy.js";
import { callOf } from "../protocol/call.js";
import { isInputRedacted } from "../redaction/marks.js";
import type { LeasedWork, OutcomeRow } from "../store/types.js";
import type { Observation } from "../upstream/observation.js";
import { type NotReplayedReason, outcomeOf } from "./outcome.js";
import { judgeRedacted } from "./redacted.js";
import type { SequenceProgress } from "./sequences.js";

/** null: it may be. */
export function whyNotReplayed(
  capture: Capture,
  { redaction }: Pick<LeasedWork, "redaction">,
  progress: SequenceProgress,
): NotReplayedReason | null {
  if (isInputRedacted(capture.redacted) && !redaction.replayRedacted) return "redacted";
  return progress.mayReplay(capture) ? null : "sequence_broken";
}

/** The outcome of what was seen. */
export function judged(
  capture: Capture,
  seen: { primary: Observation; candidate: Observation; control: Observation | null },
  { policy, collected }: { policy: Policy; collected: AnswerCollection },
): OutcomeRow {
  const { primary, candidate, control } = seen;
  const call = callOf(capture.path);
  const nowMs = Date.now();
  const judgeAgainst = (other: Observation) =>
    judgeRedacted(capture.redacted, { primary, candidate: other }, policy, nowMs, { call });
  const comparison = judgeAgainst(candidate);
  collected.offer(capture.id, candidate, comparison.result);
  return outcomeOf(capture, {
    primary,
    candidate,
    comparison,
    control,
    noise: control && judgeAgainst(control),
  });
}
