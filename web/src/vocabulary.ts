import type { DropReason, NotEligibleReason, Sample } from "../../src/capture/capture.js";
import type { SignatureState } from "../../src/compare/signature-state.js";
import type { DifferenceKind, IncomparableKind, Result } from "../../src/compare/types.js";
import type { FailureKind } from "../../src/upstream/observation.js";

/** What the closed sets of words mean, for those who do not know them by heart. The types keep the lists complete. */

export const resultMeanings: Record<Result, string> = {
  match: "Every output agrees under the policy",
  mismatch: "At least one output differs beyond the policy",
  ignored: "Only outputs that the policy ignores differ",
  incomparable: "There were not two answers to compare",
};

export const sampleMeanings: Record<Sample, string> = {
  base: "Chosen by the coin: what rates are made of",
  targeted: "Added by a rule, such as an error or a slow answer; in no rate",
};

export const differenceMeanings: Record<DifferenceKind, string> = {
  undecodable: "the candidate's answer cannot be decoded",
  missing_output: "the candidate's answer lacks an output",
  extra_output: "the candidate's answer has an output more",
  dtype: "an output has another datatype",
  shape: "an output has another shape",
  non_finite: "NaN or Infinity on one side",
  value: "values differ beyond the tolerance",
  parameters: "the answers' parameters differ",
};

export const failureMeanings: Record<FailureKind, string> = {
  timeout: "no answer in time",
  network: "the connection failed",
  http_4xx: "it refused the request (4xx)",
  http_5xx: "it failed (5xx)",
  throttled: "it was too busy (429 or 503)",
  protocol_error: "the answer was not the inference protocol",
  too_large: "the answer was too large",
};

export const incomparableMeanings: Record<IncomparableKind, string> = {
  both_failed: "the primary and the candidate both failed",
  primary_failed: "the primary failed and the candidate answered",
  primary_undecodable: "the primary's answer cannot be decoded",
};

export const signatureStateMeanings: Record<SignatureState, string> = {
  new: "Nobody has said yet what it is",
  known: "Somebody knows of it",
  accepted: "Somebody accepts it, for the time that is shown",
  fixed: "It is gone, although by now it should have appeared",
  regressed: "It was fixed, and is back",
};

export const notEligibleMeanings: Record<NotEligibleReason, string> = {
  parse: "not a valid inference request",
  shared_memory: "its tensors lie in shared memory",
  sequence: "part of a stateful sequence",
  sequence_incomplete: "part of a sequence that was not seen whole",
  framing: "its binary framing does not add up",
  content_coding: "a content coding that is not read",
};

export const dropMeanings: Record<DropReason, string> = {
  buffer_full: "the capture buffer was full",
  too_large: "larger than what is captured",
  client_abort: "the client left before the answer ended",
  early_answer: "the primary answered, and the rest of the request never came",
  primary_failed: "the primary's answer broke off",
  spool_full: "the spool had reached its quota",
  spool_error: "the spool could not be written",
  redaction: "its redaction failed",
  capture_off: "capture was switched off",
};

export const notReplayedMeanings: Record<string, string> = {
  redacted: "its input was redacted, so the candidate would be asked something else",
  answer_not_kept: "the candidate's answer was not kept",
  not_assigned: "captured before the candidate's run began",
};
