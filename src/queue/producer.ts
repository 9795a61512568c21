import { messageOf, UnderstudyError } from "../errors.js";
import { deadline } from "./deadline.js";
import type { Driver, DriverQueue, Opening } from "./driver.js";
import type { QueueName } from "./jobs.js";

/** A caller waits no longer than this; what it adds is in Postgres already, so giving up loses nothing. */
const callMs = 3_000;
/** After a failure the queue is left alone for this long. */
const pauseMs = 1_000;
/** Calls that may wait at a time: bounds the memory of a queue that hangs. */
const inFlightMax = 64;

/** Adds to one queue. Never hangs, and holds no more than a bounded number of calls. */
export interface Producer {
  /** @throws UnderstudyError `queue_unreachable` within a few seconds, whatever state the server is in. */
  call<Result>(act: (queue: DriverQueue) => Promise<Result>): Promise<Result>;
  /** At once; calls are refused from then on. */
  close(): Promise<void>;
}

/**
 * A breaker around one connection. After any failure the connection is thrown away, and with it whatever commands
 * hang in it; the first call after a pause opens another.
 */
export function createProducer(driver: Driver, name: QueueName): Producer {
  let opening: Opening | null = null;
  let inFlight = 0;
  let pausedUntilMs = 0;
  let lastFailure = "";
  let closed = false;

  const unreachable = (why: string, cause?: unknown) =>
    new UnderstudyError("queue_unreachable", `The queue ${name} cannot be used: ${why}`, {
      hint: "Check REDIS_URL (or, without it, DATABASE_URL) and that the server runs; work in Postgres is queued again by itself.",
      cause,
    });

  async function discard(): Promise<void> {
    const mine = opening;
    opening = null;
    await mine?.discard().catch(() => {});
  }

  return {
    close: () => {
      closed = true;
      return discard();
    },
    async call(act) {
      if (closed) throw unreachable("it is closed");
      if (performance.now() < pausedUntilMs) throw unreachable(lastFailure);
      if (inFlight >= inFlightMax) throw unreachable("too many calls wait for it");
      inFlight += 1;
      if (opening === null) {
        opening = driver.open(name);
        opening.queue.catch(() => {});
      }
      const mine = opening;
      try {
        return await deadline(mine.queue.then(act), callMs);
      } catch (error) {
        lastFailure = messageOf(error);
        pausedUntilMs = performance.now() + pauseMs;
        if (opening === mine) await deadline(discard(), 500).catch(() => {});
        throw unreachable(lastFailure, error);
      } finally {
        inFlight -= 1;
      }
    },
  };
}
