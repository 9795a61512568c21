import { checkLedgers } from "../src/alerts/check-ledgers.js";
import { sweepAnswers } from "../src/answers/sweep.js";
import type { BlobStore } from "../src/blobs/blobs.js";
import type { Config } from "../src/config.js";
import { goOnErasing } from "../src/erasure/erase.js";
import type { Logger } from "../src/log.js";
import type { Queues } from "../src/queue/backend.js";
import {
  checkLedgersJob,
  compactJob,
  eraseJob,
  handles,
  type JobHandler,
  partitionsJob,
  reconcileJob,
  retentionJob,
  sweepAnswersJob,
} from "../src/queue/jobs.js";
import { reconcile } from "../src/replay/reconcile.js";
import { dropOldDays } from "../src/retention/drop-old-days.js";
import { partitionDaysAhead } from "../src/store/migrate.js";
import type { Store } from "../src/store/store.js";

/** `maintenance`: what keeps queue and tables in order. */
export function maintenanceHandlers(deps: {
  store: Store;
  queues: Queues;
  blobs: BlobStore;
  log: Logger;
  config: Pick<Config, "retentionDays" | "rollupDays">;
}): JobHandler[] {
  const { store, log, config } = deps;
  return [
    handles(reconcileJob, async () => {
      await reconcile(deps);
    }),
    handles(compactJob, async () => {
      const deltas = await store.rollups.compact();
      if (deltas > 0) log.debug({ deltas }, "rollups folded");
    }),
    handles(checkLedgersJob, () => checkLedgers(deps)),
    handles(sweepAnswersJob, async () => {
      const works = await sweepAnswers(deps);
      if (works > 0) log.debug({ works }, "answers of lost leases deleted");
    }),
    handles(eraseJob, async (_payload, { signal }) => {
      await goOnErasing({ erasing: store.erasing, blobs: deps.blobs, log }, signal);
    }),
    handles(retentionJob, async () => {
      await dropOldDays(deps, config.retentionDays);
      await store.erasing.doomed.forgetBodies();
      const rollups = await store.rollups.dropFine(config.rollupDays);
      if (rollups > 0) log.info({ rollups }, "old rollups of minutes and hours dropped: coarser ones stay");
    }),
    handles(partitionsJob, async () => {
      const partitions = await store.ensurePartitions({ daysAhead: partitionDaysAhead });
      if (partitions.length > 0) log.info({ partitions }, "partitions made");
    }),
  ];
}
