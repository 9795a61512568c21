import type { Logger } from "../src/log.js";
import type { Queues } from "../src/queue/backend.js";
import { compactJob, handles, type JobHandler, partitionsJob, reconcileJob } from "../src/queue/jobs.js";
import { reconcile } from "../src/replay/reconcile.js";
import { partitionDaysAhead } from "../src/store/migrate.js";
import type { Store } from "../src/store/store.js";

/** `maintenance`: what keeps queue and tables in order. */
export function maintenanceHandlers(deps: { store: Store; queues: Queues; log: Logger }): JobHandler[] {
  const { store, log } = deps;
  return [
    handles(reconcileJob, async () => {
      await reconcile(deps);
    }),
    handles(compactJob, async () => {
      const deltas = await store.rollups.compact();
      if (deltas > 0) log.debug({ deltas }, "rollups folded");
    }),
    handles(partitionsJob, async () => {
      const partitions = await store.ensurePartitions({ daysAhead: partitionDaysAhead });
      if (partitions.length > 0) log.info({ partitions }, "partitions made");
    }),
  ];
}
