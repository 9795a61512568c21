import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { startChild } from "../../src/process/child.js";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres.js";
import { migrate } from "../../src/store/migrate.js";
import { createStore, type Store } from "../../src/store/store.js";
import type { BenchContext } from "../bench.js";
import { cores, pin } from "./machine.js";

export const modelName = "bench";

/** The database and the one deployment that all gateways of a benchmark have. */
export interface Backing {
  readonly folder: string;
  readonly store: Store;
  readonly deploymentId: number;
  /** Another gateway under test. */
  gateway(options: GatewayOptions): Promise<GatewayUnderTest>;
  /** Whom the deployment's captures are replayed to from now on. */
  addCandidate(url: string): Promise<void>;
  startWorker(): Promise<void>;
}

export interface GatewayOptions {
  name: string;
  /** `spool`: captures stay in the spool. `ship`: they become catalogued segments. `off`: nothing is captured. */
  capture: "spool" | "ship" | "off";
  env?: NodeJS.ProcessEnv;
}

/** What a gateway says of itself, since it started. */
export interface Counts {
  /** Requests that it has answered. */
  received: number;
  spooled: number;
  dropped: number;
  bufferBytes: number;
  spoolBytes: number;
}

export interface GatewayUnderTest {
  readonly pid: number;
  readonly port: number;
  counts(): Promise<Counts>;
  stop(): Promise<void>;
}

/** @param primaryUrl which answers for the deployment, and for everything else */
export async function startBacking(
  folder: string,
  primaryUrl: string,
  { onEnd }: BenchContext,
): Promise<Backing> {
  const log = pino({ level: "warn" }, pino.destination(2));
  // Before Postgres starts, so that it and all it starts are not in the proxy's way.
  pin(process.pid, cores.rest);
  // A signal may come while it starts, and it would outlive us.
  const ending = new AbortController();
  const starting = startEmbeddedPostgres({ dataDir: folder, log, ending: ending.signal });
  onEnd(() => {
    ending.abort();
    return starting.then(
      (started) => started.close(),
      () => {},
    );
  });
  const postgres = await starting;
  await migrate(postgres.url, { log });
  const store = createStore(postgres.url);
  onEnd(() => store.close());
  const endpoint = { url: primaryUrl, model: modelName, version: null, headers: {} };
  const { id: deploymentId } = await store.registry.createDeployment({
    name: modelName,
    primary: endpoint,
    control: null,
    sampleRate: 1,
    captureEnabled: true,
    policy: { outputs: {} },
  });

  const { DATABASE_URL: _, REDIS_URL: __, ...inherited } = process.env;
  const settings = {
    ...inherited,
    UNDERSTUDY_METRICS_PORT: "0",
    UNDERSTUDY_LOG_LEVEL: "error",
    UNDERSTUDY_BLOBS: `file:${join(folder, "blobs")}`,
  };

  async function gateway({ name, capture, env }: GatewayOptions): Promise<GatewayUnderTest> {
    const dataDir = join(folder, name);
    await mkdir(dataDir);
    const known = await store.registry.gatewayConfig();
    if (capture === "off") for (const deployment of known.deployments) deployment.captureEnabled = false;
    // By the copy that it keeps of its deployments a gateway serves without Postgres, and so does not ship.
    await writeFile(join(dataDir, "deployments.json"), JSON.stringify(known));
    const child = await startChild(["gateway"], {
      env: {
        ...settings,
        UNDERSTUDY_DATA_DIR: dataDir,
        UNDERSTUDY_GATEWAY_PORT: "0",
        UNDERSTUDY_DEFAULT_PRIMARY: primaryUrl,
        ...(capture === "ship" ? { DATABASE_URL: postgres.url } : {}),
        ...env,
      },
    });
    onEnd(() => child.stop());
    const pid = child.process.pid!;
    pin(pid, cores.proxy);
    const metrics = String(child.ready.metrics);
    return {
      pid,
      port: Number(child.ready.port),
      counts: () => readCounts(metrics),
      stop: () => child.stop(),
    };
  }

  return {
    folder,
    store,
    deploymentId,
    gateway,
    async addCandidate(url) {
      const to = { ...endpoint, url };
      await store.registry.addCandidate(modelName, {
        name: "candidate",
        endpoint: to,
        sha256: null,
        metadata: null,
      });
    },
    async startWorker() {
      const env = { ...settings, UNDERSTUDY_DATA_DIR: folder, DATABASE_URL: postgres.url };
      const worker = await startChild(["worker"], { env });
      onEnd(() => worker.stop());
      pin(worker.process.pid!, cores.rest);
    },
  };
}

/** Asks until what it counts says so; the capture side's own numbers are up to a second old. */
export async function countsWhen(
  gateway: GatewayUnderTest,
  wanted: (counts: Counts) => boolean,
): Promise<Counts> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const counts = await gateway.counts();
    if (wanted(counts)) return counts;
    if (performance.now() > deadlineMs)
      throw new Error(`the gateway does not settle: ${JSON.stringify(counts)}`);
    await sleep(50);
  }
}

async function readCounts(url: string): Promise<Counts> {
  const text = await (await fetch(url)).text();
  const sum = (name: string, label = "") => {
    let total = 0;
    for (const line of text.split("\n")) {
      const [, key, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (key === name && labels.includes(label)) total += Number(value);
    }
    return total;
  };
  return {
    received: sum("understudy_gateway_requests_total", `deployment="${modelName}"`),
    spooled: sum("understudy_capture_outcomes_total", 'outcome="spooled"'),
    dropped: sum("understudy_capture_outcomes_total", 'outcome="dropped"'),
    bufferBytes: sum("understudy_capture_buffer_bytes"),
    spoolBytes: sum("understudy_capture_spool_bytes"),
  };
}
