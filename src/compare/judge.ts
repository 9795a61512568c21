import { messageOf } from "../errors.js";
import { decodeAnswer } from "../protocol/answer.js";
import type { Call } from "../protocol/call.js";
import { decodeContent } from "../protocol/content.js";
import { ProtocolError } from "../protocol/error.js";
import { headerLengthName, parseHeaderLength } from "../protocol/headers.js";
import type { InferResponse } from "../protocol/infer.js";
import type { Observation } from "../upstream/observation.js";
import { compareAnswers } from "./answers.js";
import { fastestKernel } from "./fastest-kernel.js";
import type { Kernel } from "./kernel.js";
import { unpairedOutput } from "./output.js";
import { type Policy, policyFor } from "./policy.js";
import { signatureOf } from "./signature.js";
import type { Comparison } from "./types.js";

export interface JudgeOptions {
  /** What was asked, which says how answers are read; default: V2's `infer`. */
  call?: Call;
  kernel?: Kernel;
  /** Largest answer, in bytes, once its content coding is removed. */
  contentBytesMax?: number;
}

const contentBytesMaxDefault = 256 * 1024 ** 2;

/**
 * Compares what two endpoints answered to one request. Total: every pair of observations gets exactly one result,
 * and nothing that they hold makes it throw.
 *
 * - Both failed, or the primary alone: `incomparable`, kind `both_failed` or `primary_failed`.
 * - The candidate alone failed: `incomparable`, the kind being its failure.
 * - The primary's body cannot be read: `incomparable`, kind `primary_undecodable`.
 * - The candidate's cannot: `mismatch`, kind `undecodable`. It did answer, and wrongly.
 * - Else as {@link compareAnswers} says.
 *
 * @param nowMs Unix milliseconds: decides which ignores have expired
 */
export function judge(
  primary: Observation,
  candidate: Observation,
  policy: Policy,
  nowMs: number,
  options: JudgeOptions = {},
): Comparison {
  const { call = "infer", kernel = fastestKernel, contentBytesMax = contentBytesMaxDefault } = options;
  if (!primary.ok) {
    if (candidate.ok) return incomparable("primary_failed", primary.message);
    return incomparable("both_failed", bothFailed(primary, candidate));
  }
  if (!candidate.ok) return incomparable(candidate.failure, candidate.message);
  const expected = decode(call, primary, contentBytesMax);
  if (expected.answer === null) return incomparable("primary_undecodable", expected.message);
  const actual = isSameAnswer(primary, candidate) ? expected : decode(call, candidate, contentBytesMax);
  if (actual.answer === null) return undecodable(expected.answer, actual.message, policy, nowMs);
  return compareAnswers(expected.answer, actual.answer, policy, nowMs, kernel);
}

type Answered = Observation & { ok: true };

/** Byte for byte, and to be read alike: then one reading does for both. */
function isSameAnswer(a: Answered, b: Answered): boolean {
  return (
    a.body.length === b.body.length &&
    a.headers["content-encoding"] === b.headers["content-encoding"] &&
    a.headers[headerLengthName] === b.headers[headerLengthName] &&
    Buffer.compare(a.body, b.body) === 0
  );
}

type Decoded = { answer: InferResponse } | { answer: null; message: string };

function decode(call: Call, observation: Answered, bytesMax: number): Decoded {
  try {
    const { headers } = observation;
    const body = decodeContent(observation.body, headers["content-encoding"], bytesMax);
    const answer = decodeAnswer(call, body, parseHeaderLength(headers[headerLengthName], body.length));
    return { answer };
  } catch (error) {
    // Whatever is thrown here was thrown over these bytes; letting it pass would make a judgement a crash.
    const excerpt = error instanceof ProtocolError && error.excerpt !== "" ? ` (${error.excerpt})` : "";
    return { answer: null, message: messageOf(error) + excerpt };
  }
}

type Failed = Observation & { ok: false };

/** Names both failures, since they need not be the same; neither can crowd out the other. */
function bothFailed(primary: Failed, candidate: Failed): string {
  const told = ({ failure, message }: Failed) => `${failure}: ${message.slice(0, 200)}`;
  return `primary ${told(primary)}; candidate ${told(candidate)}`;
}

function incomparable(kind: Comparison["kind"], message: string): Comparison {
  return {
    result: "incomparable",
    kind,
    signature: null,
    flip: null,
    maxAbs: null,
    maxRel: null,
    outputs: [],
    parameters: [],
    message: message.slice(0, 500),
  };
}

function undecodable(expected: InferResponse, message: string, policy: Policy, nowMs: number): Comparison {
  return {
    result: "mismatch",
    kind: "undecodable",
    signature: signatureOf("undecodable", null),
    flip: null,
    maxAbs: null,
    maxRel: null,
    outputs: expected.outputs.map((output) =>
      unpairedOutput("undecodable", output, null, policyFor(policy, output.name), nowMs),
    ),
    parameters: [],
    message: message.slice(0, 500),
  };
}
