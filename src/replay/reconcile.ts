import type { Logger } from "../log.js";
import type { Queues } from "../queue/backend.js";
import { rejudgeJob } from "../queue/jobs.js";
import { queuedWorksMax } from "../store/admission.js";
import type { Store } from "../store/store.js";

/** A job that waits longer than this may be lost; adding it again changes nothing where it is not. */
const olderThanMs = 15_000;
const worksMax = 1_000;

/** More waiting works than this after a round: the queue is full, not just one round behind. */
const heldBackAlarm = worksMax;

/** Queues the works that the queue may have lost, and those it has room for again. Returns how many. */
export async function reconcile(deps: {
  store: Pick<Store, "work" | "gauges">;
  queues: Pick<Queues, "add" | "addReplay">;
  log: Logger;
}): Promise<number> {
  const { store, queues, log } = deps;
  const due = await store.work.dueForQueue({ limit: worksMax, olderThanMs, kind: "live" });
  if (due.length > 0) await queues.addReplay(due);
  // A rejudge is queued here only: whoever asks for one needs no queue.
  const again = await store.work.dueForQueue({ limit: worksMax, olderThanMs, kind: "rejudge" });
  const payloads = again.map((workId) => ({ workId: String(workId) }));
  if (again.length > 0) await queues.add(rejudgeJob, payloads);
  const heldBack = await store.gauges.heldBackWork();
  if (heldBack > heldBackAlarm) {
    log.warn({ heldBack, queuedMax: queuedWorksMax }, "the queue is full; works wait in Postgres");
  }
  const works = due.length + again.length;
  if (works > 0) log.debug({ works }, "works queued");
  return works;
}
