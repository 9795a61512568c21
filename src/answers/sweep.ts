import type { BlobStore } from "../blobs/blobs.js";
import type { AnswerStore } from "../store/answers.js";
import { answersKey } from "./keeper.js";

const worksMax = 500;

/**
 * Deletes the answers that lost leases may have left. A work's leases are numbered from 1 and a blob's key holds the
 * number, so all keys that can ever have been written are known: no listing of the blob store is needed.
 *
 * @returns how many works were looked after
 */
export async function sweepAnswers(deps: {
  store: { answers: Pick<AnswerStore, "dueForSweep" | "swept"> };
  blobs: Pick<BlobStore, "delete">;
}): Promise<number> {
  const { store, blobs } = deps;
  for (let works = 0; ; ) {
    const due = await store.answers.dueForSweep(worksMax);
    for (const { workId, deploymentId, day, lease: newest, answersKey: counts } of due) {
      for (let lease = 1; lease <= newest; lease += 1) {
        const key = answersKey({ deploymentId, day, workId, lease });
        if (key !== counts) await blobs.delete(key);
      }
    }
    await store.answers.swept(due.map((work) => work.workId));
    works += due.length;
    if (due.length < worksMax) return works;
  }
}
