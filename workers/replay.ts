import {
  handles,
  type historyJob,
  type JobHandler,
  type rejudgeJob,
  type replayJob,
  TryLater,
} from "../src/queue/jobs.js";
import { replayInTurn } from "../src/replay/replay-in-turn.js";
import type { ReplayDeps, ReplayEnd } from "../src/replay/replay-work.js";

/** `replay`: one work, for one candidate. `history`: one of a replay. `rejudge`: the same, from kept answers. */
export function replayHandlers(
  job: typeof replayJob | typeof historyJob | typeof rejudgeJob,
  deps: ReplayDeps,
  onEnd: (end: ReplayEnd) => void,
): JobHandler[] {
  return [
    handles(job, async ({ workId }, { signal }) => {
      const laterMs = await replayInTurn(deps, BigInt(workId), signal, onEnd);
      if (laterMs !== null) throw new TryLater(laterMs, "it cannot be taken up now");
    }),
  ];
}
