import type { Config } from "../config.js";
import type { Logger } from "../log.js";
import type { Service } from "../process/service.js";
import { type Supervised, supervise } from "../process/supervise.js";
import { startEmbeddedPostgres } from "../store/embedded-postgres.js";
import { migrate } from "../store/migrate.js";
import { seedDemo, startDemoModels, startDemoTraffic } from "./demo.js";
import { metricsPorts, preflight } from "./preflight.js";

/** How long the demo's clients may take to end: whoever asks last must not hold up who answers. */
const trafficGraceMs = 1_500;

/** Closes what was opened, newest first; goes on when one fails to close, then says so. */
async function closeAll(opened: (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of opened.reverse()) await close().catch((error) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, "some parts did not close");
}

/** Waits for something that need not be closed, unless the end is asked for first. */
async function unlessEnding<T>(ending: AbortSignal, wanted: Promise<T>): Promise<T> {
  // Where nobody waits any longer, how it ends is of no use.
  wanted.catch(() => {});
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(ending.reason);
    ending.addEventListener("abort", stop);
    if (ending.aborted) stop();
  });
  return Promise.race([wanted, aborted]).finally(() => ending.removeEventListener("abort", stop));
}

/**
 * Runs the whole product: database (embedded unless one is given), migrations, control plane, worker, gateway, each
 * a process of its own that is started again when it dies; with `demo` also its models and its traffic.
 *
 * @param deps.ending aborts the start
 * @throws UnderstudyError what kept a part from starting, or the reason of `ending`; nothing is left running then
 */
export async function startStack(deps: {
  config: Config;
  log: Logger;
  demo: boolean;
  ending: AbortSignal;
}): Promise<Service> {
  const { config, log, demo, ending } = deps;
  const opened: (() => Promise<void>)[] = [];
  try {
    await unlessEnding(ending, preflight(config, { demo }));
    const settings: NodeJS.ProcessEnv = { ...config.environment, UNDERSTUDY_DATA_DIR: config.dataDir };
    let databaseUrl = config.databaseUrl;
    if (databaseUrl === undefined) {
      const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log, ending });
      opened.push(() => postgres.close());
      databaseUrl = postgres.url;
    }
    settings.DATABASE_URL = databaseUrl;
    await unlessEnding(ending, migrate(databaseUrl, { log }));

    const demoParts = demo ? await startDemoModels(config, settings, log, ending) : null;
    if (demoParts) opened.push(() => demoParts.models.stop());
    if (demoParts) Object.assign(settings, demoParts.settings);

    const ports = metricsPorts(config);
    // A free port that was found once stays the same for every restart: clients have it by now.
    const pinned = (variable: string, metricsPort: number) => (before: Supervised["ready"] | null) => ({
      ...settings,
      UNDERSTUDY_METRICS_PORT: String(metricsPort),
      ...(before === null ? {} : { [variable]: String(before.port) }),
    });
    const control = await supervise(["control"], pinned("UNDERSTUDY_CONTROL_PORT", 0), log, ending);
    const serving: Supervised[] = [control];
    // These close together, since each may need seconds; what they use is closed after them.
    opened.push(async () => {
      await Promise.all(serving.map((part) => part.stop()));
    });
    if (demoParts) await unlessEnding(ending, seedDemo(String(control.ready.url), demoParts));
    const workerSettings = { ...settings, UNDERSTUDY_METRICS_PORT: String(ports.worker) };
    const worker = await supervise(["worker"], () => workerSettings, log, ending);
    serving.push(worker);
    const gateway = await supervise(
      ["gateway"],
      pinned("UNDERSTUDY_GATEWAY_PORT", ports.gateway),
      log,
      ending,
    );
    serving.push(gateway);
    log.info({ gateway: gateway.ready.metrics, worker: worker.ready.metrics }, "metrics");
    if (demoParts) {
      const traffic = await startDemoTraffic(String(gateway.ready.url), demoParts, settings, log, ending);
      opened.push(() => traffic.stop(trafficGraceMs));
    }

    return {
      ready: { gateway: String(gateway.ready.url), control: String(control.ready.url) },
      close: () => closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened).catch((closing) =>
      log.error({ error: String(closing) }, "closing after a failed start"),
    );
    throw error;
  }
}
