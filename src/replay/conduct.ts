import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import type { Queues } from "../queue/backend.js";
import { historyJob } from "../queue/jobs.js";
import type { Replays } from "../store/replays.js";

const everyMs = 500;

/**
 * Takes the replays on, step by step, until it is stopped. Every worker does: whoever comes first takes the step. Not
 * a scheduled job, since a queue that is full, or slow for a moment, would hold up every time line.
 */
export function keepConducting(deps: {
  replays: Pick<Replays, "conduct">;
  queues: Pick<Queues, "add">;
  log: Logger;
}): {
  /** A work has ended, so there may be room for the next: the step is taken now. */
  wake(): void;
  stop(): Promise<void>;
} {
  const { replays, queues, log } = deps;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let failing = false;
  let stepping = false;
  let woken = false;

  async function step(): Promise<void> {
    stepping = true;
    woken = false;
    try {
      const due = await replays.conduct();
      if (due.length > 0) {
        await queues.add(
          historyJob,
          due.map((workId) => ({ workId: String(workId) })),
        );
      }
      failing = false;
    } catch (error) {
      // Once: it is tried twice a second. What was not queued is queued again by a later step.
      if (!failing) log.warn({ error: messageOf(error) }, "replays not taken on");
      failing = true;
    }
    stepping = false;
    if (!stopped) timer = setTimeout(next, woken && !failing ? 0 : everyMs);
  }

  let running = Promise.resolve();
  function next(): void {
    running = step();
  }
  next();
  return {
    wake() {
      woken = true;
      if (stepping || stopped || failing) return;
      clearTimeout(timer);
      next();
    },
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
