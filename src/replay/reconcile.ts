import type { Logger } from "../log.js";
import type { Queues } from "../queue/backend.js";
import type { Store } from "../store/store.js";

/** A job that waits longer than this may be lost; adding it again changes nothing where it is not. */
const olderThanMs = 15_000;
const worksMax = 1_000;

/** Queues again the works that the queue should hold and may have lost. Returns how many. */
export async function reconcile(deps: {
  store: Pick<Store, "work">;
  queues: Pick<Queues, "addReplay">;
  log: Logger;
}): Promise<number> {
  const due = await deps.store.work.dueForQueue({ limit: worksMax, olderThanMs });
  if (due.length === 0) return 0;
  await deps.queues.addReplay(due);
  deps.log.debug({ works: due.length }, "works queued");
  return due.length;
}
