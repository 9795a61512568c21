import { handles, type JobHandler, replayJob, TryLater } from "../src/queue/jobs.js";
import { replayInTurn } from "../src/replay/replay-in-turn.js";
import type { ReplayDeps, ReplayEnd } from "../src/replay/replay-work.js";

/** `replay`: one work, for one candidate. */
export function replayHandlers(deps: ReplayDeps, onEnd: (end: ReplayEnd) => void): JobHandler[] {
  return [
    handles(replayJob, async ({ workId }, { signal }) => {
      const laterMs = await replayInTurn(deps, BigInt(workId), signal, onEnd);
      if (laterMs !== null) throw new TryLater(laterMs, "it cannot be taken up now");
    }),
  ];
}
