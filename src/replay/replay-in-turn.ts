import { messageOf } from "../errors.js";
import { type ReplayDeps, type ReplayEnd, replayWork } from "./replay-work.js";

/**
 * A work that finds no place is in mind of this process; its job is for the case that this process ends, or that
 * another is idle before. So it comes up the later, the more works are before it: no more than so many in a second are
 * looked at in vain.
 */
const busyMs = { each: 200, most: 15_000 };

/**
 * A work in other hands may be that of a worker that was killed. Its job must stay until it is done: were it to end
 * now, just as the reconciler finds the lease run out and adds it in vain, nothing would bring the work up for long.
 */
const elsewhereMs = 2_000;

/** Added to the time for which a work is put off: not all are to come up when the first of them asks. */
const laterMs = 500;

/** Not all at the same moment. */
const about = (ms: number) => ms * (0.5 + Math.random());

/**
 * Works that a job goes on with for want of one in mind. Others may have them in mind; those of other candidates, which
 * wait in the queue, are to have their turn as well.
 */
const besideMax = 4;

/**
 * Replays a work, and after it those of the same candidate that had found no place, here or, a few, elsewhere: so a
 * backlog of one candidate is worked off without a pause, although it never holds more than its share of a process, and
 * two processes end it together.
 *
 * @param onEnd told of each work as it ends
 * @returns in how many milliseconds the work is to come up again; null when that is not needed.
 * @throws as {@link replayWork} does for the work; what becomes of those after it is for their own jobs
 */
export async function replayInTurn(
  deps: ReplayDeps,
  workId: bigint,
  signal: AbortSignal,
  onEnd: (end: ReplayEnd) => void,
): Promise<number | null> {
  const { store, turns, log } = deps;
  const first = await replayWork(deps, workId, signal);
  onEnd(first);
  if (first.end === "not_leased") return (await store.work.isOpen(workId)) ? about(elsewhereMs) : null;
  const { candidate } = first;
  if (first.end === "put_off") return first.laterMs + about(laterMs);
  if (first.end === "busy") {
    const before = turns.remember(candidate, workId);
    return about(Math.min(busyMs.each * before, busyMs.most));
  }
  if (first.end === "split") remember(first.parts);
  let beside = first.end === "committed" && first.runKind === "live" ? besideMax : 0;
  try {
    while (!signal.aborted) {
      const next = turns.recall(candidate) ?? (await another());
      if (next === null) break;
      const report = await replayWork(deps, next, signal);
      onEnd(report);
      if (report.end === "split") remember(report.parts);
      // What is put off has a job of its own still.
      if (report.end === "put_off") break;
      if (report.end === "busy") {
        turns.remember(candidate, next);
        break;
      }
    }
  } catch (error) {
    if (!signal.aborted)
      log.warn({ candidate, error: messageOf(error) }, "the works after it are left to their jobs");
  }
  return null;

  async function another(): Promise<bigint | null> {
    if (beside === 0) return null;
    beside -= 1;
    return store.work.waitingBeside(workId);
  }

  /** The reconciler would queue them, but later. */
  function remember(parts: readonly bigint[]): void {
    for (const part of parts) turns.remember(candidate, part);
  }
}
