import { type JudgeOptions, judge } from "../compare/judge.js";
import { type Policy, policyFor } from "../compare/policy.js";
import type { Comparison } from "../compare/types.js";
import type { Call } from "../protocol/call.js";
import { redactedOutputs } from "../redaction/marks.js";
import type { Redactor } from "../redaction/redactor.js";
import type { Observation } from "../upstream/observation.js";

/**
 * An answer of a model as it may be kept: redacted by the rules for the primary's. One that cannot be redacted becomes
 * a failure, since nothing of it may be kept.
 */
export function redactedObservation(
  observation: Observation,
  redactor: Redactor | null,
  call: Call,
): Observation {
  if (redactor === null || !observation.ok) return observation;
  const { status, body, latencyMs, attempts } = observation;
  try {
    const headers = Object.entries(observation.headers).flat();
    const side = redactor.response({ call, status, headers, body });
    return { ...observation, headers: fromPairs(side.headers), body: side.body };
  } catch {
    const message = "The answer cannot be redacted, so nothing of it is kept";
    return { ok: false, failure: "protocol_error", status, message, latencyMs, attempts };
  }
}

/** Judges as `judge` does, but leaves out the outputs that were redacted: what was masked matches whatever it was. */
export function judgeRedacted(
  redacted: readonly string[],
  pair: { primary: Observation; candidate: Observation },
  policy: Policy,
  nowMs: number,
  options: JudgeOptions,
): Comparison {
  const { primary, candidate } = pair;
  const outputs = redacted.length === 0 ? [] : redactedOutputs(redacted);
  if (outputs.length === 0) return judge(primary, candidate, policy, nowMs, options);
  const ignore = { reason: "redacted" };
  const ignored = outputs.map((name) => [name, { ...policyFor(policy, name), ignore }]);
  const without = { ...policy, outputs: { ...policy.outputs, ...Object.fromEntries(ignored) } };
  const comparison = judge(primary, candidate, without, nowMs, options);
  const nothingLeft = comparison.result === "match" && comparison.outputs.length === 0;
  return nothingLeft ? { ...comparison, result: "ignored" } : comparison;
}

function fromPairs(pairs: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < pairs.length; index += 2) headers[pairs[index]!] = pairs[index + 1]!;
  return headers;
}
