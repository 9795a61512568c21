import { type ReplayDeps, type ReplayEnd, replayWork } from "./replay-work.js";

/**
 * Replays a work, and after it those of the same candidate that had found no place: so a backlog of one candidate is
 * worked off without a pause, although it never holds more than its share of the process.
 *
 * @param onEnd told of each work as it ends
 * @returns `busy` when the work itself found no place: it is to come up again later.
 * @throws as {@link replayWork} does
 */
export async function replayInTurn(
  deps: ReplayDeps,
  workId: bigint,
  signal: AbortSignal,
  onEnd: (end: ReplayEnd) => void,
): Promise<"busy" | "done"> {
  const first = await replayWork(deps, workId, signal);
  onEnd(first);
  if (first.end === "not_leased") return "done";
  const { candidate } = first;
  if (first.end === "busy") {
    deps.turns.remember(candidate, workId);
    return "busy";
  }
  while (!signal.aborted) {
    const next = deps.turns.recall(candidate);
    if (next === undefined) break;
    const report = await replayWork(deps, next, signal);
    onEnd(report);
    if (report.end === "busy") {
      deps.turns.remember(candidate, next);
      break;
    }
  }
  return "done";
}
