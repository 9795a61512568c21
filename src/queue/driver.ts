import { DelayedError, type Job } from "bullmq";
import { type QueueName, TryLater } from "./jobs.js";

/** A job as it goes into the queue. */
export interface NewJob {
  name: string;
  data: object;
  opts: {
    jobId?: string;
    attempts: number;
    backoff: { type: "exponential"; delay: number };
    removeOnComplete: true;
    removeOnFail: true;
  };
}

/** The part of BullMQ's `Queue` that is used, the same over every backend. */
export interface DriverQueue {
  addBulk(jobs: NewJob[]): Promise<unknown>;
  upsertJobScheduler(
    id: string,
    repeat: { every: number },
    template: { name: string; data: object; opts: NewJob["opts"] },
  ): Promise<unknown>;
  getJobScheduler(id: string): Promise<{ every?: number; next?: number } | undefined>;
  getJobCounts(...states: JobState[]): Promise<Record<string, number>>;
}

export const jobStates = ["waiting", "active", "delayed"] as const;
export type JobState = (typeof jobStates)[number];

/** A connection to one queue. */
export interface Opening {
  /** Rejects when the queue cannot be used; this opening is then of no more use. May never settle. */
  queue: Promise<DriverQueue>;
  /** At once, also when the server hangs. */
  discard(): Promise<void>;
}

/** A job as it comes out of the queue. */
export interface TakenJob {
  name: string;
  data: unknown;
  attemptsMade: number;
  attemptsStarted: number;
}

/** What BullMQ calls for each job, on any backend. */
export function processorOf(
  take: (job: TakenJob) => Promise<void>,
): (job: Job, token?: string) => Promise<void> {
  return async (job, token) => {
    try {
      await take(job);
    } catch (error) {
      if (!(error instanceof TryLater)) throw error;
      // Whole milliseconds: Postgres keeps the moment as a bigint.
      await job.moveToDelayed(Date.now() + Math.round(error.delayMs), token);
      // BullMQ's word for: leave the job where it was moved to.
      throw new DelayedError();
    }
  };
}

export interface WorkerOptions {
  concurrency: number;
  lockDuration: number;
  stalledInterval: number;
  maxStalledCount: number;
  runRetryDelay: number;
  drainDelay: number;
}

export interface DriverWorker {
  /** Takes no further job and waits for those in hand. Hangs while the server does. */
  close(): Promise<void>;
  /** At once, leaving the jobs in hand to the stall check. */
  discard(): Promise<void>;
}

/** Where the queues live. One conformance suite runs over every driver. */
export interface Driver {
  open(name: QueueName): Opening;
  work(
    name: QueueName,
    take: (job: TakenJob) => Promise<void>,
    options: WorkerOptions,
    failed: (job: TakenJob | undefined, error: Error) => void,
  ): DriverWorker;
  close(): Promise<void>;
}
