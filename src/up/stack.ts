import { mkdir } from "node:fs/promises";
import type { Config } from "../config.js";
import type { Logger } from "../log.js";
import type { Service } from "../process/service.js";
import { type Supervised, supervise } from "../process/supervise.js";
import { startEmbeddedPostgres } from "../store/embedded-postgres.js";
import { migrate } from "../store/migrate.js";
import { seedDemo, startDemoModels, startDemoTraffic } from "./demo.js";

/** Closes what was opened, newest first; goes on when one fails to close, then says so. */
async function closeAll(opened: (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of opened.reverse()) await close().catch((error) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, "some parts did not close");
}

/**
 * Runs the whole product: database (embedded unless one is given), migrations, control plane, worker, gateway, each
 * a process of its own that is started again when it dies; with `demo` also its models and its traffic.
 *
 * @throws UnderstudyError what kept a part from starting; nothing is left running then
 */
export async function startStack(deps: { config: Config; log: Logger; demo: boolean }): Promise<Service> {
  const { config, log, demo } = deps;
  const opened: (() => Promise<void>)[] = [];
  try {
    await mkdir(config.dataDir, { recursive: true });
    const settings: NodeJS.ProcessEnv = { ...config.environment, UNDERSTUDY_DATA_DIR: config.dataDir };
    let databaseUrl = config.databaseUrl;
    if (databaseUrl === undefined) {
      const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
      opened.push(() => postgres.close());
      databaseUrl = postgres.url;
    }
    settings.DATABASE_URL = databaseUrl;
    await migrate(databaseUrl, { log });

    const demoParts = demo ? await startDemoModels(config, settings, log) : null;
    if (demoParts) opened.push(() => demoParts.models.stop());
    if (demoParts) Object.assign(settings, demoParts.settings);

    // A free port that was found once stays the same for every restart: clients have it by now.
    const pinned = (variable: string) => (before: Supervised["ready"] | null) =>
      before === null ? settings : { ...settings, [variable]: String(before.port) };
    const control = await supervise(["control"], pinned("UNDERSTUDY_CONTROL_PORT"), log);
    const serving: Supervised[] = [control];
    // These close together, since each may need seconds; what they use is closed after them.
    opened.push(async () => {
      await Promise.all(serving.map((part) => part.stop()));
    });
    if (demoParts) await seedDemo(String(control.ready.url), demoParts);
    serving.push(await supervise(["worker"], () => settings, log));
    const gateway = await supervise(["gateway"], pinned("UNDERSTUDY_GATEWAY_PORT"), log);
    serving.push(gateway);
    if (demoParts) serving.push(await startDemoTraffic(String(gateway.ready.url), demoParts, settings, log));

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
