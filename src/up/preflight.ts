import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:net";
import { Redis } from "ioredis";
import { createBlobStore } from "../blobs/blobs.js";
import type { Config } from "../config.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { type Listening, listen } from "../process/listen.js";
import { makeDataFolder } from "../process/make-folder.js";

/** Metrics ports of the processes that have no other port for them: the configured one and the next, or any free ones. */
export function metricsPorts(config: Pick<Config, "metricsPort">): { gateway: number; worker: number } {
  const base = config.metricsPort;
  return { gateway: base, worker: base === 0 ? 0 : base + 1 };
}

/**
 * Finds what would keep a part from starting before any is started: the data folder, ports, Redis, the blob store.
 * @throws UnderstudyError what is wrong, and what to do
 */
export async function preflight(config: Config, { demo }: { demo: boolean }): Promise<void> {
  await makeDataFolder(config.dataDir);
  await checkPorts(config, demo);
  if (config.redisUrl !== undefined) await checkRedis(config.redisUrl);
  await checkBlobs(config);
}

async function checkPorts(config: Config, demo: boolean): Promise<void> {
  const metrics = metricsPorts(config);
  if (metrics.worker > 65_535) {
    throw new UnderstudyError("config_invalid", "UNDERSTUDY_METRICS_PORT must be at most 65534 for `up`", {
      hint: "The gateway's metrics take this port and the worker's the next one.",
    });
  }
  const ports = [
    { what: "gateway", setting: "UNDERSTUDY_GATEWAY_PORT", port: config.gatewayPort },
    { what: "control plane", setting: "UNDERSTUDY_CONTROL_PORT", port: config.controlPort },
    { what: "gateway's metrics", setting: "UNDERSTUDY_METRICS_PORT", port: metrics.gateway },
    { what: "worker's metrics", setting: "UNDERSTUDY_METRICS_PORT", port: metrics.worker },
    ...(demo
      ? [{ what: "model server", setting: "UNDERSTUDY_MODEL_SERVER_PORT", port: config.modelServerPort }]
      : []),
  ];
  const held: Server[] = [];
  try {
    // All at once, so that one port given twice is found, too.
    for (const wanted of ports) held.push(await hold({ host: config.host, ...wanted }));
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

async function hold(wanted: Listening): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await listen(server, wanted);
  return server;
}

async function checkRedis(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    connectTimeout: 3_000,
    commandTimeout: 3_000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // Of a failed connection the reason comes as an event only.
  let reason: unknown;
  redis.on("error", (error: unknown) => {
    reason = error;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    const { host } = new URL(redisUrl);
    throw new UnderstudyError(
      "queue_unreachable",
      `The Redis at ${host} cannot be used: ${messageOf(reason ?? error)}`,
      { hint: "Start it, correct REDIS_URL, or unset it to keep the queue in Postgres.", cause: error },
    );
  } finally {
    redis.disconnect();
  }
}

async function checkBlobs(config: Config): Promise<void> {
  const blobs = await createBlobStore(config);
  const key = `probe/${randomUUID()}`;
  try {
    await blobs.put(key, new Uint8Array(1));
    await blobs.delete(key);
  } catch (error) {
    throw new UnderstudyError(
      "config_invalid",
      `The blob store ${config.blobs} cannot be written: ${messageOf(error)}`,
      {
        hint: config.blobs.startsWith("s3:")
          ? "Check the bucket's name, AWS_REGION, AWS_ENDPOINT_URL and the credentials; docs/configuration.md lists what is needed."
          : "Set UNDERSTUDY_BLOBS to file:PATH, a folder that you may write to, or to s3://BUCKET/PREFIX.",
        cause: error,
      },
    );
  }
}
