import { messageOf } from "../src/errors.js";
import type { Logger } from "../src/log.js";
import type { Queues } from "../src/queue/backend.js";
import {
  checkLedgersJob,
  compactJob,
  eraseJob,
  evaluateJob,
  partitionsJob,
  reconcileJob,
  retentionJob,
  sweepAnswersJob,
} from "../src/queue/jobs.js";

const schedules = [
  [evaluateJob, 5_000],
  [reconcileJob, 5_000],
  [eraseJob, 2_000],
  [compactJob, 15_000],
  [checkLedgersJob, 30_000],
  [sweepAnswersJob, 300_000],
  [partitionsJob, 3_600_000],
  [retentionJob, 3_600_000],
] as const;

/** A queue can lose its schedules, as it can lose any job. */
const checkMs = 10_000;

/** Sets up the schedules of all processes, and keeps them set up until it is stopped. */
export async function keepSchedules(queues: Queues, log: Logger): Promise<{ stop(): void }> {
  const setUp = () => Promise.all(schedules.map(([job, everyMs]) => queues.schedule(job, everyMs)));
  await setUp();
  const timer = setInterval(() => {
    setUp().catch((error) => log.warn({ error: messageOf(error) }, "schedules not checked"));
  }, checkMs);
  return { stop: () => clearInterval(timer) };
}
