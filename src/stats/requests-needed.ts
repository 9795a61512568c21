import { evidenceOver, evidenceUnder, type RateCounts } from "./evidence.js";
import { knownVerdict } from "./rate-test.js";
import { requireAlpha, type Verdict } from "./verdict.js";

/** More than this many requests is as good as never. */
const requestsMax = 2 ** 40;

export interface RequestsNeeded {
  verdict: Exclude<Verdict, "inconclusive">;
  /** More requests that count, beyond those read. */
  more: number;
}

/**
 * How many more requests a verdict takes if the rate stays as it was so far (none, before the first request): a
 * forecast, not a promise. Chance makes it come sooner or later, the more so the closer the rate is to the limit.
 *
 * In a stream the logarithm of the evidence is convex along that way, so it stays above what is needed once it is.
 *
 * @returns null when a verdict is not to be had: the rate is the limit, or so near that 2^40 requests would not do
 */
export function requestsNeeded(
  counts: RateCounts,
  options: { limit: number; alpha: number },
): RequestsNeeded | null {
  const { limit, alpha } = options;
  requireAlpha(alpha);
  const rate = counts.trials === 0 ? 0 : counts.events / counts.trials;
  const verdict = rate > limit ? "fail" : "pass";
  const evidence = verdict === "fail" ? evidenceOver(limit) : evidenceUnder(limit);
  const enough = (more: number) => {
    const ahead = {
      trials: counts.trials + more,
      events: counts.events + more * rate,
      remaining: counts.remaining - more,
    };
    if (ahead.trials === 0) return false;
    return evidence(ahead) >= -Math.log(alpha) || knownVerdict(limit, ahead) === verdict;
  };
  const most = Math.min(counts.remaining, requestsMax);
  if (!enough(most)) return null;
  return { verdict, more: leastTrue(0, most, enough) };
}

function leastTrue(from: number, to: number, holds: (value: number) => boolean): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
