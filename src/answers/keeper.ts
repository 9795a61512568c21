import { createHash } from "node:crypto";
import type { BlobStore } from "../blobs/blobs.js";
import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import type { KeptAnswers, LeasedWork } from "../store/types.js";
import type { Observation } from "../upstream/observation.js";
import { type Answer, readAnswers, writeAnswers } from "./answers-file.js";
import type { AnswerQuota } from "./quota.js";

/** The blob of the answers that one lease of a work came to. Only the commit says which of a work's blobs counts. */
export function answersKey(of: { deploymentId: number; day: string; workId: bigint; lease: number }): string {
  return `answers/${of.deploymentId}/${of.day}/${of.workId}-${of.lease}.parquet`;
}

/** Keeps the answers of works, within the quota. */
export interface AnswerKeeper {
  /**
   * Writes them to a blob of this lease's own, to be named by the commit; null when there are none, the quota is
   * spent, or they could not be written: a comparison never fails because its answer was not kept.
   */
  keep(work: LeasedWork, answers: readonly Answer[]): Promise<KeptAnswers | null>;
  /** Deletes what {@link keep} wrote for a lease that was lost. What a dead process left is the sweep's. */
  discard(kept: KeptAnswers): Promise<void>;
}

export function createAnswerKeeper(deps: {
  blobs: BlobStore;
  quota: AnswerQuota;
  log: Logger;
}): AnswerKeeper {
  const { blobs, quota, log } = deps;

  async function discard({ key }: { key: string }): Promise<void> {
    await blobs
      .delete(key)
      .catch((error) => log.warn({ key, error: messageOf(error) }, "answers not deleted"));
  }

  return {
    discard,
    async keep(work, answers) {
      if (answers.length === 0) return null;
      const { deploymentId, answersBytesPerDay: bytesMax, segment } = work;
      const bytes = writeAnswers(answers);
      const { day } = segment;
      const key = answersKey({ deploymentId, day, workId: work.id, lease: work.lease });
      try {
        if (!(await quota.take({ deploymentId, day, bytes: bytes.length, bytesMax }))) {
          log.debug(
            { deployment: work.deploymentName, day, bytesMax },
            "answers not kept: the quota is spent",
          );
          return null;
        }
        await blobs.put(key, bytes);
      } catch (error) {
        log.warn({ key, error: messageOf(error) }, "answers not kept");
        await discard({ key });
        return null;
      }
      return { key, sha256: sha256Of(bytes), bytes: bytes.length, count: answers.length };
    },
  };
}

/**
 * The answers of a committed work, by capture.
 * @throws UnderstudyError `blob_missing`, or `blob_corrupt` when the bytes are not those that were committed
 */
export async function keptAnswers(
  blobs: BlobStore,
  { key, sha256 }: Pick<KeptAnswers, "key" | "sha256">,
): Promise<Map<string, Observation>> {
  const bytes = await blobs.get(key);
  const found = sha256Of(bytes);
  if (found === sha256) return readAnswers(bytes);
  throw new UnderstudyError("blob_corrupt", `The answers ${key} have SHA-256 ${found}, not ${sha256}`, {
    hint: "Restore them from a backup of the blob store; comparisons made before stay as they are.",
  });
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
