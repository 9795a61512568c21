import { setTimeout as sleep } from "node:timers/promises";
import { type Breaker, createBreaker } from "./breaker.js";
import type { FlowSettings } from "./flow.js";

/** What one process may send to one revision of a candidate, over all works. */
export interface Lane {
  readonly breaker: Breaker;
  /**
   * Lines up for the requests of one work. Those of a work that lined up earlier go first: then works end one after the
   * other, and the lane is in use while one is committed and the next is read.
   *
   * @param signal ends the waiting of all of them
   */
  line(flow: Pick<FlowSettings, "concurrency" | "ratePerSecond">, signal: AbortSignal): Line;
}

/** The way into a lane for the requests of one work. */
export interface Line {
  /**
   * Calls `act` once fewer than `concurrency` are under way and the rate allows another.
   * @throws the signal's reason, while it waits
   */
  pass<Result>(act: () => Promise<Result>): Promise<Result>;
  /** The work has ended: nobody waits here any more. */
  leave(): void;
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

interface Waiting {
  begin(): void;
  giveUp(): void;
}

function createLane(): Lane {
  /** In the order in which the works lined up. */
  const lines = new Set<Waiting[]>();
  let running = 0;
  let nextMs = 0;

  function beginNext(): void {
    for (const line of lines) {
      const next = line.shift();
      if (next === undefined) continue;
      next.begin();
      return;
    }
  }

  /** Moments are handed out evenly; one that nobody took is lost, so that a pause is not made up for by a burst. */
  async function moment(ratePerSecond: number, signal: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    const mineMs = Math.max(nowMs, nextMs);
    nextMs = mineMs + 1_000 / ratePerSecond;
    if (mineMs > nowMs) await sleep(mineMs - nowMs, undefined, { signal });
  }

  return {
    breaker: createBreaker(),
    line({ concurrency, ratePerSecond }, signal) {
      const line: Waiting[] = [];
      lines.add(line);
      const giveUp = () => {
        for (const waiting of line.splice(0)) waiting.giveUp();
      };
      signal.addEventListener("abort", giveUp, { once: true });
      return {
        async pass(act) {
          signal.throwIfAborted();
          if (running < concurrency) running += 1;
          else {
            await new Promise<void>((resolve, reject) => {
              const begin = () => {
                running += 1;
                resolve();
              };
              line.push({ begin, giveUp: () => reject(signal.reason) });
            });
          }
          try {
            if (ratePerSecond !== null) await moment(ratePerSecond, signal);
            return await act();
          } finally {
            running -= 1;
            if (running < concurrency) beginNext();
          }
        },
        leave() {
          lines.delete(line);
          signal.removeEventListener("abort", giveUp);
        },
      };
    },
  };
}
