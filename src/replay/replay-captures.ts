import type { AnswerCollection } from "../answers/keeping.js";
import type { Capture } from "../capture/capture.js";
import type { Policy } from "../compare/policy.js";
import { callOf } from "../protocol/call.js";
import { isInputRedacted } from "../redaction/marks.js";
import type { LeasedWork, OutcomeRow } from "../store/types.js";
import type { UpstreamRequest } from "../upstream/client.js";
import type { Observation } from "../upstream/observation.js";
import type { Control } from "./control.js";
import { type NotReplayedReason, notReplayed, outcomeOf } from "./outcome.js";
import { recordedObservation, requestOf } from "./recorded.js";
import { judgeRedacted } from "./redacted.js";
import { followSequences, type SequenceProgress } from "./sequences.js";

export interface Sides {
  candidate: (request: UpstreamRequest) => Promise<Observation>;
  control: Control;
  collected: AnswerCollection;
}

/** What all captures of a work are replayed with. */
export interface Terms {
  work: Pick<LeasedWork, "id" | "lease" | "redaction">;
  sides: Sides;
  policy: Policy;
}

/** Each capture to the candidate, one after the other. */
export async function replayInOrder(captures: readonly Capture[], terms: Terms): Promise<OutcomeRow[]> {
  const rows: OutcomeRow[] = [];
  const progress = followSequences();
  for (const capture of captures) {
    const why = whyNotReplayed(capture, terms.work, progress);
    const row = why ? notReplayed(capture, why) : await replayCapture(capture, terms);
    if (row.candidateMs !== null) progress.answered(capture);
    rows.push(row);
  }
  return rows;
}

/** null: it may be. */
export function whyNotReplayed(
  capture: Capture,
  { redaction }: Pick<LeasedWork, "redaction">,
  progress: SequenceProgress,
): NotReplayedReason | null {
  if (isInputRedacted(capture.redacted) && !redaction.replayRedacted) return "redacted";
  return progress.mayReplay(capture) ? null : "sequence_broken";
}

/** One capture to the candidate, and to the control where its turn says so; judged. */
async function replayCapture(capture: Capture, { work, sides, policy }: Terms): Promise<OutcomeRow> {
  const primary = recordedObservation(capture);
  const request = requestOf(capture, work);
  const turn = sides.control.turnOf(capture, primary);
  const before = turn === "before" ? await sides.control.observe(request) : null;
  const candidate = await sides.candidate(request);
  const control = turn === "after" ? await sides.control.observe(request) : before;
  return judged(capture, { primary, candidate, control }, { policy, collected: sides.collected });
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
