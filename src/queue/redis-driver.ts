import { Queue, type RedisQueueBackend, Worker } from "bullmq";
import type { Logger } from "../log.js";
import { type Driver, processorOf } from "./driver.js";
import { createErrorLog } from "./error-log.js";

/** Keys begin with this. Instances that share a Redis use databases of their own: `redis://host/1`. */
const prefix = "understudy";

/** Quick enough that a restarted Redis is taken up within seconds; the driver's own strategy waits up to 20 s. */
const reconnectMs = (tries: number) => Math.min(250 * tries, 2_000);

const connecting = {
  connectTimeout: 2_000,
  retryStrategy: reconnectMs,
  /** How long a Redis that hangs may hold up the end of its connection. */
  disconnectTimeout: 200,
};

/**
 * Ends a backend's connections at once. Its own way is not enough: where it was being closed already it waits for
 * Redis to answer QUIT, and a forced closing then only joins that wait.
 */
async function discard(backend: RedisQueueBackend): Promise<void> {
  for (const client of [backend.client, backend.blockingClient]) {
    client?.then((connected) => connected.disconnect()).catch(() => {});
  }
  await backend.close(true);
}

/** BullMQ over Redis, through ioredis. */
export function createRedisDriver(redisUrl: string, log: Logger): Driver {
  const onError = createErrorLog(log, "Redis");
  let evictionTold = false;

  /** With any policy but noeviction a full Redis silently throws jobs away. */
  async function checkEviction(info: string): Promise<void> {
    const policy = /^maxmemory_policy:(.*)$/m.exec(info)?.[1]?.trim();
    if (evictionTold || policy === undefined || policy === "noeviction") return;
    evictionTold = true;
    log.warn({ policy }, "Redis may evict jobs; start it with --maxmemory-policy noeviction");
  }

  return {
    open(name) {
      const queue = new Queue(name, {
        connection: {
          url: redisUrl,
          // Callers have a deadline of their own: what cannot be sent now fails now and takes no memory.
          enableOfflineQueue: false,
          maxRetriesPerRequest: 0,
          ...connecting,
        },
        prefix,
        streams: { events: { maxLen: 100 } },
      });
      queue.on("error", onError);
      // Without this, an unreachable Redis would be waited for, and the reason never told.
      const firstError = new Promise<never>((_, reject) => queue.once("error", reject));
      firstError.catch(() => {});
      return {
        queue: Promise.race([queue.waitUntilReady(), firstError]).then(async () => {
          await checkEviction(await (await queue.getBackend().client).info());
          return queue;
        }),
        discard: () => discard(queue.getBackend()),
      };
    },

    work(name, take, options, failed) {
      const worker = new Worker(name, processorOf(take), {
        ...options,
        connection: {
          url: redisUrl,
          // A worker must wait for Redis, not give up: BullMQ requires it.
          maxRetriesPerRequest: null,
          ...connecting,
        },
        prefix,
      });
      worker.on("error", onError);
      worker.on("failed", failed);
      return { close: () => worker.close(), discard: () => discard(worker.getBackend()) };
    },

    close: async () => {},
  };
}
