import type { Capture } from "../capture/capture.js";
import { callOf } from "../protocol/call.js";
import type { UpstreamRequest } from "../upstream/client.js";
import { excerpt } from "../upstream/excerpt.js";
import { contentHeaderNames } from "../upstream/exchange.js";
import type { FailureKind, Observation } from "../upstream/observation.js";

/** Headers of a request that say how its body is read, and how the answer may come. */
const requestHeaderNames = [...contentHeaderNames, "accept", "accept-encoding"] as const;

/** The captured request, to be sent to another endpoint's model. */
export function requestOf({ path, requestHeaders, requestBody }: Capture): UpstreamRequest {
  return { call: callOf(path), headers: pick(requestHeaders, requestHeaderNames), body: requestBody };
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
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
