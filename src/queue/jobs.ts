import { z } from "zod";

/** The queues. Each has its own workers, so that a backlog of replays delays no alert. */
export const queueNames = ["replay", "history", "rejudge", "alerts", "webhooks", "maintenance"] as const;
export type QueueName = (typeof queueNames)[number];

/**
 * What a job is: where it waits, what it carries, how often it is tried. Payloads are ids of rows in Postgres, which
 * hold the truth; fields are only ever added.
 */
export interface JobContract<Payload> {
  queue: QueueName;
  name: string;
  schema: z.ZodType<Payload>;
  /** Tries before the queue forgets the job. What is still due in Postgres is then queued again by the reconciler. */
  attempts: number;
  /** Pause before the second try, doubled for every further one. */
  backoffMs: number;
  /** While a job of this id waits or runs, another is not added. Scheduled jobs have none. */
  id?: (payload: Payload) => string;
}

const contract = <Payload>(job: JobContract<Payload>): JobContract<Payload> => job;

/** Replay one work: a segment, or part of it, for one run. */
export const replayJob = contract({
  queue: "replay",
  name: "replay",
  schema: z.object({ workId: z.string().regex(/^[1-9][0-9]{0,18}$/) }),
  attempts: 3,
  backoffMs: 1_000,
  id: ({ workId }) => `work-${workId}`,
});

/** Replay one work of a replay of history. In a queue of its own: it must come in time, and hold up no live replay. */
export const historyJob = contract({
  queue: "history",
  name: "history",
  schema: replayJob.schema,
  attempts: 3,
  backoffMs: 1_000,
  id: ({ workId }) => `work-${workId}`,
});

/** Judge one work again from kept answers. In a queue of its own: what is only tried must not hold up live replays. */
export const rejudgeJob = contract({
  queue: "rejudge",
  name: "rejudge",
  schema: replayJob.schema,
  attempts: 3,
  backoffMs: 1_000,
  id: ({ workId }) => `work-${workId}`,
});

/** Evaluate every alert rule. */
export const evaluateJob = contract({
  queue: "alerts",
  name: "evaluate",
  schema: z.object({}),
  attempts: 1,
  backoffMs: 1_000,
});

/** Check the sums of every deployment's ledger. */
export const checkLedgersJob = contract({
  queue: "maintenance",
  name: "check-ledgers",
  schema: z.object({}),
  attempts: 1,
  backoffMs: 1_000,
});

/** Deliver one message to a webhook. Ten tries: the last about eight and a half minutes after the first. */
export const deliverJob = contract({
  queue: "webhooks",
  name: "deliver",
  schema: z.object({ deliveryId: z.uuid() }),
  attempts: 10,
  backoffMs: 1_000,
  id: ({ deliveryId }) => `delivery-${deliveryId}`,
});

/** Queue again what Postgres says is due and the queue may have lost. */
export const reconcileJob = contract({
  queue: "maintenance",
  name: "reconcile",
  schema: z.object({}),
  attempts: 1,
  backoffMs: 1_000,
});

/** Fold rollup deltas. */
export const compactJob = contract({
  queue: "maintenance",
  name: "compact",
  schema: z.object({}),
  attempts: 1,
  backoffMs: 1_000,
});

/** Delete the answers that lost leases left. */
export const sweepAnswersJob = contract({
  queue: "maintenance",
  name: "sweep-answers",
  schema: z.object({}),
  attempts: 1,
  backoffMs: 1_000,
});

/** Go on with erasures. */
export const eraseJob = contract({
  queue: "maintenance",
  name: "erase",
  schema: z.object({}),
  attempts: 1,
  backoffMs: 1_000,
});

/** Drop the days that are older than retention. */
export const retentionJob = contract({
  queue: "maintenance",
  name: "retention",
  schema: z.object({}),
  attempts: 1,
  backoffMs: 1_000,
});

/** Make the partitions of the days to come. */
export const partitionsJob = contract({
  queue: "maintenance",
  name: "partitions",
  schema: z.object({}),
  attempts: 1,
  backoffMs: 1_000,
});

/** A job's contract together with what does it; made by {@link handles}. */
export interface JobHandler {
  queue: QueueName;
  name: string;
  /** @throws ZodError when the payload is not of the contract. */
  run(payload: unknown, delivery: Delivery): Promise<void>;
}

/** What a handler may know of the delivery at hand. */
export interface Delivery {
  /** 1 for the first try. */
  attempt: number;
  /** How often the job was taken up, {@link TryLater} included; 1 for the first time. */
  starts: number;
  /** Aborted when the process must end soon: finish at once, or hand back and throw. */
  signal: AbortSignal;
}

/** Thrown by a handler that cannot do its job now: it comes up again after a pause, and no try is used up. */
export class TryLater extends Error {
  readonly delayMs: number;

  constructor(delayMs: number, why: string) {
    super(why);
    this.name = "TryLater";
    this.delayMs = delayMs;
  }
}

/** Ties a handler to a contract. The handler returns when the job is done, and throws to have it tried again. */
export function handles<Payload>(
  job: JobContract<Payload>,
  handler: (payload: Payload, delivery: Delivery) => Promise<void>,
): JobHandler {
  return {
    queue: job.queue,
    name: job.name,
    run: (payload, delivery) => handler(job.schema.parse(payload), delivery),
  };
}
