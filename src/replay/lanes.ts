import { setTimeout as sleep } from "node:timers/promises";
import { type Breaker, createBreaker } from "./breaker.js";
import type { FlowSettings } from "./flow.js";

/** What one process may send to one revision of a candidate, over all works. */
export interface Lane {
  readonly breaker: Breaker;
  /**
   * Calls `act` once fewer than `concurrency` are under way and the rate allows another.
   * @throws the signal's reason, while it waits
   */
  pass<Result>(
    flow: Pick<FlowSettings, "concurrency" | "ratePerSecond">,
    signal: AbortSignal,
    act: () => Promise<Result>,
  ): Promise<Result>;
}

/** The lanes of a process, by revision. Of very many, the least recently used are forgotten. */
export interface Lanes {
  of(revision: string): Lane;
}

const lanesMax = 10_000;

export function createLanes(): Lanes {
  const lanes = new Map<string, Lane>();
  return {
    of(revision) {
      const lane = lanes.get(revision) ?? createLane();
      // The least recently used goes first.
      lanes.delete(revision);
      lanes.set(revision, lane);
      if (lanes.size > lanesMax) lanes.delete(lanes.keys().next().value!);
      return lane;
    },
  };
}

function createLane(): Lane {
  const waiting = new Set<() => void>();
  let running = 0;
  let nextMs = 0;

  /** Resolves when the wait is over: the caller is counted as running then. */
  function place(limit: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (running < limit) {
      running += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const begin = () => {
        waiting.delete(begin);
        signal.removeEventListener("abort", giveUp);
        running += 1;
        resolve();
      };
      const giveUp = () => {
        waiting.delete(begin);
        reject(signal.reason);
      };
      signal.addEventListener("abort", giveUp, { once: true });
      waiting.add(begin);
    });
  }

  /** Moments are handed out evenly; one that nobody took is lost, so that a pause is not made up for by a burst. */
  async function moment(ratePerSecond: number | null, signal: AbortSignal): Promise<void> {
    if (ratePerSecond === null) return;
    const nowMs = performance.now();
    const mineMs = Math.max(nowMs, nextMs);
    nextMs = mineMs + 1_000 / ratePerSecond;
    if (mineMs > nowMs) await sleep(mineMs - nowMs, undefined, { signal });
  }

  return {
    breaker: createBreaker(),
    async pass({ concurrency, ratePerSecond }, signal, act) {
      await place(concurrency, signal);
      try {
        await moment(ratePerSecond, signal);
        return await act();
      } finally {
        running -= 1;
        const [next] = waiting;
        if (running < concurrency) next?.();
      }
    },
  };
}
