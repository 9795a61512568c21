import { handles, type JobHandler, replayJob, TryLater } from "../src/queue/jobs.js";
import { replayInTurn } from "../src/replay/replay-in-turn.js";
import type { ReplayDeps, ReplayEnd } from "../src/replay/replay-work.js";

/** A work that finds no place is in mind of this process; its job is for the case that this process ends. */
const laterMs = 15_000;

/** `replay`: one work, for one candidate. */
export function replayHandlers(deps: ReplayDeps, onEnd: (end: ReplayEnd) => void): JobHandler[] {
  return [
    handles(replayJob, async ({ workId }, { signal }) => {
      const end = await replayInTurn(deps, BigInt(workId), signal, onEnd);
      // Not all at the same moment.
      if (end === "busy") throw new TryLater(laterMs * (0.5 + Math.random()), "its candidate has its share");
    }),
  ];
}
