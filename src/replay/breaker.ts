import type { Observation } from "../upstream/observation.js";

/** Pause before a candidate that did not answer is asked again: doubled from the first to the last. */
const pausesMs = { first: 2_000, last: 60_000 };

/** A candidate that does not answer, as one worker sees it. Moments are Unix milliseconds. */
export interface OpenBreaker {
  openedAtMs: number;
  retryAtMs: number;
  reason: string;
}

/**
 * Keeps works from a candidate that is not there. Failures in a row raise a suspicion only: a request may be what
 * makes it fail. It opens when the candidate, asked for its metadata, does not answer either.
 */
export interface Breaker {
  /** What makes it open now; null while it is closed. */
  readonly open: OpenBreaker | null;
  /**
   * Takes note of an answer, or of none. True: so many connection failures or timeouts in a row that it is to be probed;
   * while it is open one is enough, of what was on its way.
   */
  record(observation: Observation, failuresMax: number): boolean;
  /** What a probe said; null: the candidate is there. Only the first of several at a time counts. */
  probed(failure: string | null): void;
}

export function createBreaker(now: () => number = Date.now): Breaker {
  let failures = 0;
  let pauseMs = pausesMs.first;
  let open: OpenBreaker | null = null;
  return {
    get open() {
      return open;
    },
    record(observation, failuresMax) {
      const gone =
        !observation.ok && (observation.failure === "network" || observation.failure === "timeout");
      failures = gone ? failures + 1 : 0;
      return failuresMax > 0 && failures >= (open === null ? failuresMax : 1);
    },
    probed(failure) {
      failures = 0;
      if (failure === null) {
        open = null;
        pauseMs = pausesMs.first;
        return;
      }
      const nowMs = now();
      if (open !== null && open.retryAtMs > nowMs) return;
      open = { openedAtMs: open?.openedAtMs ?? nowMs, retryAtMs: nowMs + pauseMs, reason: failure };
      pauseMs = Math.min(2 * pauseMs, pausesMs.last);
    },
  };
}
