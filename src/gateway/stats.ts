import { countDuration, createDurations, type Durations } from "./histogram.js";

/**
 * How requests end: by the class of the status that the client was sent. `aborted`: it went away before it had its
 * answer; `broken`: the primary broke off in the midst of it.
 */
export const endings = ["aborted", "1xx", "2xx", "3xx", "4xx", "5xx", "broken"] as const;

/** What is counted of one deployment's requests, or of all that belong to none. */
export interface RouteStats {
  /** Name of the deployment; empty for the rest. */
  readonly deployment: string;
  /** How many requests ended in each of the `endings`. */
  readonly ended: Float64Array;
  /** Bytes of bodies: of requests, of answers. */
  readonly passed: Float64Array;
  /** Requests that were answered 503, since too many waited for the primary. */
  busy: number;
  /** From the head of the request to the end of the answer. */
  readonly gateway: Durations;
  /** What the primary took of it. */
  readonly primary: Durations;
}

export function createRouteStats(deployment: string): RouteStats {
  return {
    deployment,
    ended: new Float64Array(endings.length),
    passed: new Float64Array(2),
    busy: 0,
    gateway: createDurations(),
    primary: createDurations(),
  };
}

/**
 * Counts a request that is over.
 * @param ending the status that its client was sent, whole; or why it was not
 */
export function countRequest(stats: RouteStats, ending: number | "aborted" | "broken", tookMs: number): void {
  const index = typeof ending === "number" ? Math.floor(ending / 100) : endings.indexOf(ending);
  stats.ended[index] = (stats.ended[index] ?? 0) + 1;
  countDuration(stats.gateway, tookMs);
}
