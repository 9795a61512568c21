import type { Capture } from "../capture/capture.js";
import { callOf } from "../protocol/call.js";
import { decodeContent } from "../protocol/content.js";
import { headerLengthName, parseHeaderLength } from "../protocol/headers.js";
import { withSequenceId } from "../protocol/sequence-id.js";
import type { LeasedWork } from "../store/types.js";
import type { UpstreamRequest } from "../upstream/client.js";
import { excerpt } from "../upstream/excerpt.js";
import { contentHeaderNames } from "../upstream/exchange.js";
import type { FailureKind, Observation } from "../upstream/observation.js";
import { replayedSequenceId } from "./sequences.js";

/** Headers of a request that say how its body is read, and how the answer may come. */
const requestHeaderNames = [...contentHeaderNames, "accept", "accept-encoding"] as const;

/**
 * Most bytes of a request without its content coding: what a gateway can be set to capture at most. What it is set to
 * is not known here.
 */
const bodyBytesMax = 1024 ** 3;

/**
 * The captured request, to be sent to another endpoint's model; a step of a sequence under an id of this lease's own.
 * @throws ProtocolError when a step's body is not what it was when it was captured
 */
export function requestOf(capture: Capture, work: Pick<LeasedWork, "id" | "lease">): UpstreamRequest {
  const { path, requestHeaders, requestBody, sequencePlace } = capture;
  const headers = pick(requestHeaders, requestHeaderNames);
  const call = callOf(path);
  if (sequencePlace === null) return { call, headers, body: requestBody };
  const { "content-encoding": coding, [headerLengthName]: length, ...others } = headers;
  const bytes = decodeContent(requestBody, coding, bodyBytesMax);
  const plain = { bytes, headerLength: parseHeaderLength(length, bytes.length) };
  const renamed = withSequenceId(call, plain, replayedSequenceId(work, sequencePlace.key));
  if (renamed.headerLength !== null) others[headerLengthName] = String(renamed.headerLength);
  return { call, headers: others, body: renamed.bytes };
}

/** The primary's answer as it was recorded: an observation like any other. */
export function recordedObservation(capture: Capture): Observation {
  const { status, responseHeaders, responseBody, primaryMs } = capture;
  const attempts = [{ startedMs: 0, latencyMs: primaryMs, status }];
  const failure = failureOf(status);
  if (failure === null) {
    const headers = pick(responseHeaders, contentHeaderNames);
    return { ok: true, status, headers, body: responseBody, latencyMs: primaryMs, attempts };
  }
  const said = Buffer.from(responseBody.subarray(0, 500)).toString("utf8");
  return {
    ok: false,
    failure,
    status,
    message: excerpt(`status ${status}${said === "" ? "" : `: ${said}`}`),
    latencyMs: primaryMs,
    attempts: attempts.map((attempt) => ({ ...attempt, failure })),
  };
}

function failureOf(status: number): FailureKind | null {
  if (status >= 200 && status <= 299) return null;
  if (status >= 500) return "http_5xx";
  return status >= 400 ? "http_4xx" : "protocol_error";
}

function pick(headers: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}
