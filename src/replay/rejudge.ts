import { setImmediate as breathe } from "node:timers/promises";
import { keptAnswers } from "../answers/keeper.js";
import type { BlobStore } from "../blobs/blobs.js";
import type { Capture } from "../capture/capture.js";
import type { Policy } from "../compare/policy.js";
import { UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { callOf } from "../protocol/call.js";
import type { Rejudges } from "../store/rejudges.js";
import type { LeasedWork, OutcomeRow, RejudgeSource } from "../store/types.js";
import type { Observation } from "../upstream/observation.js";
import { beforeAfterFacts } from "./before-after.js";
import { notReplayed, outcomeOf } from "./outcome.js";
import { recordedObservation } from "./recorded.js";
import { judgeRedacted } from "./redacted.js";

/**
 * Judges the captures of a work again, by another policy, from the answers that were kept of the source run: nothing
 * is sent to anyone. A capture whose answer was not kept is not replayed, and says so.
 *
 * @throws UnderstudyError `blob_corrupt` when the answers are not those that were committed; the signal's reason
 */
export async function rejudge(
  deps: { rejudges: Pick<Rejudges, "earlier">; blobs: BlobStore; log: Logger },
  task: {
    work: LeasedWork;
    source: RejudgeSource;
    captures: readonly Capture[];
    policy: Policy;
    stop: AbortSignal;
  },
): Promise<OutcomeRow[]> {
  const { rejudges, blobs, log } = deps;
  const { work, source, captures, policy, stop } = task;
  const answers = await answersOf(blobs, source, log);
  const stored = captures.filter(({ id }) => answers.has(id)).map(({ id }) => id);
  const earlier = await rejudges.earlier(source.runId, work.segment.day, stored);
  const rows: OutcomeRow[] = [];
  for (const capture of captures) {
    const candidate = answers.get(capture.id);
    if (candidate === undefined) {
      rows.push(notReplayed(capture, "answer_not_kept"));
      continue;
    }
    const primary = recordedObservation(capture);
    const call = callOf(capture.path);
    const pair = { primary, candidate };
    const comparison = judgeRedacted(capture.redacted, pair, policy, Date.now(), { call });
    const row = outcomeOf(capture, { primary, candidate, comparison, control: null, noise: null });
    const before = earlier.get(capture.id);
    rows.push(before ? { ...row, facts: [...row.facts, ...beforeAfterFacts(before, row)] } : row);
    // Nothing here waits for anyone, yet the lease's heartbeat must come through.
    await breathe();
    stop.throwIfAborted();
  }
  return rows;
}

async function answersOf(
  blobs: BlobStore,
  { answers }: RejudgeSource,
  log: Logger,
): Promise<Map<string, Observation>> {
  if (answers === null) return new Map();
  try {
    return await keptAnswers(blobs, answers);
  } catch (error) {
    if (!(error instanceof UnderstudyError && error.code === "blob_missing")) throw error;
    log.warn({ key: answers.key }, "the answers are gone from the blob store");
    return new Map();
  }
}
