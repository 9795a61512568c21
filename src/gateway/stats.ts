import { createDurations, type Durations } from "./histogram.js";

/** How often requests ended in each class of status; index 0: the client went away before it had its answer. */
export const codeLabels = ["aborted", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/** What is counted of one deployment's requests, or of all that belong to none. */
export interface RouteStats {
  /** Name of the deployment; empty for the rest. */
  readonly deployment: string;
  readonly codes: Float64Array;
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
    codes: new Float64Array(codeLabels.length),
    passed: new Float64Array(2),
    busy: 0,
    gateway: createDurations(),
    primary: createDurations(),
  };
}
