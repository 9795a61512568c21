import { z } from "zod";
import { defaultRetries } from "../upstream/retries.js";

const whole = (min: number, max: number) =>
  z
    .number({ error: "must be a number" })
    .int("must be a whole number")
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`);

const concurrency = whole(1, 256).meta({
  description: "Requests in flight at a time, in one worker process",
});
const ratePerSecond = z
  .number({ error: "must be a number, or null" })
  .min(0.01, "must be at least 0.01")
  .max(100_000, "must be at most 100000")
  .nullable()
  .meta({ description: "Requests begun in a second, in one worker process; null: as fast as it answers" });
const deadlineMs = whole(10, 600_000).nullable().meta({
  description: "For one request, its further attempts included; null: as UNDERSTUDY_REPLAY_TIMEOUT_MS says",
});
const maxAgeMs = whole(1_000, 366 * 86_400_000)
  .nullable()
  .meta({
    description: "Captures older than this are not replayed any more: they end as expired; null: no limit",
  });
const breakerFailures = whole(0, 10_000).meta({
  description:
    "Connection failures and timeouts in a row after which it is asked whether it is there at all; 0: never",
});
const retriesMax = whole(0, 10).meta({
  description: "Further attempts after a refused connection, 429 or 503; nothing else is tried again",
});
const backoffMs = whole(1, 60_000).meta({
  description: "Pause before the second attempt at most; four times as long before each further one",
});
const retryAfterMsMax = whole(0, 600_000).meta({
  description: "Longest Retry-After that is waited for; one that asks for more is not tried again",
});

const retries = z.strictObject({
  max: retriesMax.default(defaultRetries.max),
  backoffMs: backoffMs.default(defaultRetries.backoffMs),
  retryAfterMsMax: retryAfterMsMax.default(defaultRetries.retryAfterMsMax),
});

/** How a candidate may be loaded, and for how long. */
export const flowSchema = z.strictObject({
  concurrency: concurrency.default(1),
  ratePerSecond: ratePerSecond.default(null),
  deadlineMs: deadlineMs.default(null),
  retries: retries.default(defaultRetries),
  maxAgeMs: maxAgeMs.default(null),
  breakerFailures: breakerFailures.default(5),
});
export type FlowSettings = z.infer<typeof flowSchema>;

/** What changes of them; absent fields stay. */
export const flowChangeSchema = z.strictObject({
  concurrency: concurrency.optional(),
  ratePerSecond: ratePerSecond.optional(),
  deadlineMs: deadlineMs.optional(),
  retries: z
    .strictObject({
      max: retriesMax.optional(),
      backoffMs: backoffMs.optional(),
      retryAfterMsMax: retryAfterMsMax.optional(),
    })
    .optional(),
  maxAgeMs: maxAgeMs.optional(),
  breakerFailures: breakerFailures.optional(),
});
export type FlowChange = z.infer<typeof flowChangeSchema>;

/** The settings with a change made to them. */
export function changedFlow(flow: FlowSettings, change: FlowChange): FlowSettings {
  return flowSchema.parse({ ...flow, ...change, retries: { ...flow.retries, ...change.retries } });
}
