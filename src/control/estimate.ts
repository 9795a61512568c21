import { dayMs, minuteOf } from "../ids.js";
import type { Traffic } from "../store/traffic.js";
import type { Deployment } from "../store/types.js";
import type { Estimate } from "./api.js";

/** How far back traffic is looked at: a whole day, so that its quiet hours count too. */
export const estimateSpanMs = dayMs;

/**
 * What a day of captures would take at the deployment's sample rate, whether capture is on or not: the traffic that
 * was seen, carried on for a day. Of the base sample; what rules add is not known before.
 */
export function estimateOf(
  { sampleRate, captureEnabled, capture }: Deployment,
  traffic: Traffic,
  nowMs: number,
): Estimate {
  const { firstMs, requests, requestBytes, responseBytes, storedShare } = traffic;
  // The ledger counts by whole minutes: the one under way is not yet over, but part of it has been seen.
  const observedMs = firstMs === null ? 0 : Math.max(nowMs - minuteOf(firstMs), 60_000);
  const perDay = (amount: number) => (observedMs === 0 ? null : (amount / observedMs) * dayMs);
  const capturedPerDay = perDay((requestBytes + responseBytes) * sampleRate);
  return {
    captureEnabled,
    sampleRate,
    observedMs,
    requests,
    requestBytes,
    responseBytes,
    requestsPerDay: perDay(requests),
    bytesPerDay: capturedPerDay,
    storedBytesPerDay: capturedPerDay === null || storedShare === null ? null : capturedPerDay * storedShare,
    rules: capture.targets.length,
  };
}
