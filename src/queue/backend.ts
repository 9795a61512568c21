import type { Logger } from "../log.js";
import { deadline } from "./deadline.js";
import { type Driver, type DriverWorker, jobStates, type NewJob } from "./driver.js";
import { type JobContract, type JobHandler, type QueueName, queueNames, replayJob } from "./jobs.js";
import { createPostgresDriver } from "./postgres-driver.js";
import { createProducer, type Producer } from "./producer.js";
import { createRedisDriver } from "./redis-driver.js";

/**
 * A lock of 5 s and a check every 2.5 s take up the job of a killed worker within 8 s; BullMQ's defaults take 60 s.
 * Locks only spread the work: what counts is the lease in Postgres.
 */
const workerOptions = {
  lockDuration: 5_000,
  stalledInterval: 2_500,
  maxStalledCount: 5,
  /** Pause after the server could not be reached. */
  runRetryDelay: 1_000,
  /** Seconds an idle worker waits before it looks again by itself. */
  drainDelay: 5,
} as const;

/** Leaves time to close the rest before a process that is to end is ended regardless. */
const closeMs = 4_000;

/** Jobs in one call to the server. */
const batchSize = 500;

/** The job queues: BullMQ over Redis, or over Postgres where there is none. */
export interface Queues {
  /** Resolves once the queues can be used. @throws UnderstudyError `queue_unreachable` */
  ready(): Promise<void>;
  /** Adds jobs. One whose id waits or runs already is left out. @throws UnderstudyError `queue_unreachable` */
  add<Payload extends object>(job: JobContract<Payload>, payloads: readonly Payload[]): Promise<void>;
  /** Adds a replay for each work. Those that fail to be added are queued again by the reconciler. */
  addReplay(workIds: readonly bigint[]): Promise<void>;
  /** Makes sure that a job without payload comes up every `everyMs`, once over all processes. Call it now and then: a queue can lose its schedule. */
  schedule(job: JobContract<Record<string, never>>, everyMs: number): Promise<void>;
  /** Starts to take jobs of one queue, `concurrency` at a time. */
  work(queue: QueueName, handlers: readonly JobHandler[], options: { concurrency: number }): Promise<void>;
  /** Jobs that wait, run, or wait for another try. */
  counts(queue: QueueName): Promise<Record<(typeof jobStates)[number], number>>;
  /**
   * Takes no more jobs. Those in hand may finish for half of the time, then their signal is aborted; at the deadline
   * they are left to the other workers. Resolves by then even when the server hangs.
   */
  close(deadlineMs?: number): Promise<void>;
}

/** Connects at the first use. With `redisUrl` the queues are in Redis, else in the database, in schema `bullmq`. */
export function createQueues(options: {
  redisUrl: string | undefined;
  databaseUrl: string;
  log: Logger;
}): Queues {
  const { redisUrl, databaseUrl, log } = options;
  const driver: Driver =
    redisUrl === undefined ? createPostgresDriver(databaseUrl, log) : createRedisDriver(redisUrl, log);
  const producers = new Map<QueueName, Producer>(
    queueNames.map((name) => [name, createProducer(driver, name)]),
  );
  const producer = (name: QueueName) => producers.get(name)!;
  const workers: DriverWorker[] = [];
  const ending = new AbortController();

  const optionsOf = (job: { attempts: number; backoffMs: number }): NewJob["opts"] => ({
    attempts: job.attempts,
    backoff: { type: "exponential", delay: job.backoffMs },
    // Kept jobs would make their ids unavailable; what happened to a work is in Postgres.
    removeOnComplete: true,
    removeOnFail: true,
  });

  async function add<Payload extends object>(job: JobContract<Payload>, payloads: readonly Payload[]) {
    const jobs: NewJob[] = payloads.map((data) => ({
      name: job.name,
      data,
      opts: { ...optionsOf(job), ...(job.id ? { jobId: job.id(data) } : {}) },
    }));
    for (let at = 0; at < jobs.length; at += batchSize) {
      await producer(job.queue).call((queue) => queue.addBulk(jobs.slice(at, at + batchSize)));
    }
  }

  async function ready(): Promise<void> {
    await producer("replay").call((queue) => queue.getJobCounts(...jobStates));
  }

  return {
    ready,
    add,
    addReplay: (workIds) =>
      add(
        replayJob,
        workIds.map((workId) => ({ workId: String(workId) })),
      ),

    schedule: (job, everyMs) =>
      producer(job.queue).call(async (queue) => {
        const known = await queue.getJobScheduler(job.name);
        // A schedule stands still when its next job could not be added, on a full Redis for example; and one whose pace
        // was changed just as a job of it was taken up may have its next job at the old pace.
        const isOff = known?.next === undefined || Math.abs(known.next - Date.now()) > 2 * everyMs + 5_000;
        if (known?.every === everyMs && !isOff) return;
        await queue.upsertJobScheduler(
          job.name,
          { every: everyMs },
          { name: job.name, data: {}, opts: optionsOf(job) },
        );
      }),

    async work(name, handlers, { concurrency }) {
      await ready();
      const byName = new Map(handlers.map((handler) => [handler.name, handler]));
      const worker = driver.work(
        name,
        async (job) => {
          const handler = byName.get(job.name);
          if (!handler) throw new Error(`no handler for a job of name ${job.name}`);
          await handler.run(job.data, {
            attempt: job.attemptsMade + 1,
            starts: job.attemptsStarted,
            signal: ending.signal,
          });
        },
        { ...workerOptions, concurrency },
        (job, error) =>
          log.warn(
            { queue: name, job: job?.name, attempt: job?.attemptsMade, error: error.message },
            "job failed",
          ),
      );
      workers.push(worker);
    },

    async counts(name) {
      const counts = await producer(name).call((queue) => queue.getJobCounts(...jobStates));
      return {
        waiting: counts.waiting ?? 0,
        active: counts.active ?? 0,
        delayed: counts.delayed ?? 0,
      };
    },

    async close(deadlineMs = closeMs) {
      const abort = setTimeout(() => ending.abort(), deadlineMs / 2);
      const closing = Promise.allSettled(workers.map((worker) => worker.close()));
      await deadline(closing, deadlineMs).catch(() =>
        log.warn({ deadlineMs }, "queue workers not closed by the deadline"),
      );
      clearTimeout(abort);
      ending.abort();
      const rest = Promise.allSettled([
        ...workers.map((worker) => worker.discard()),
        ...[...producers.values()].map((each) => each.close()),
      ]).then(() => driver.close());
      await deadline(rest, 500).catch(() => {});
    },
  };
}
