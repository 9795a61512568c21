import { access, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import { redactionSchema } from "../redaction/settings.js";
import type { Registry } from "../store/groups.js";
import type { GatewayConfig } from "../store/types.js";
import { captureSettingsSchema } from "./settings.js";

/** While a file of this name lies in the data directory, nothing is captured: a kill switch that needs no Postgres. */
export const captureOffFile = "capture-off";
const copyFile = "deployments.json";

/** How soon a change, the kill switch above all, reaches the gateway. */
const pollMs = 1_000;
const filePollMs = 500;
/** How long a gateway that has a copy waits for Postgres before it serves by the copy. */
const firstAnswerMs = 1_500;
/** An answer that took longer says too little of when it was given. */
const clockRoundTripMsMax = 1_000;
/** A clock that is off by more is told of: minutes, and with them ranges of time, are no longer what they say. */
const skewMsMax = 1_000;

/**
 * Watches which deployments there are. The last answer is kept in a file, so that a gateway knows its deployments
 * when it starts while Postgres is away.
 */
export interface DeploymentWatch {
  /** This machine's wall clock minus Postgres' clock, as of the newest answer; 0 before the first. */
  readonly clockOffsetMs: number;
  close(): void;
}

/**
 * @param deps.dataDir where the copy lies, and the local kill switch
 * @param deps.onChange told the deployments from the copy at once, if there is one, then every change
 */
export async function watchDeployments(deps: {
  registry: Pick<Registry, "gatewayConfig" | "clockMs"> | null;
  dataDir: string;
  onChange: (config: GatewayConfig) => void;
  log: Logger;
}): Promise<DeploymentWatch> {
  const { registry, dataDir, onChange, log } = deps;
  const path = join(dataDir, copyFile);
  let text = await readFile(path, "utf8").catch(() => "");
  let known: GatewayConfig | null = null;
  let heldOff = await exists(join(dataDir, captureOffFile));
  let closed = false;
  let failing = false;
  let skewed = false;
  let clockOffsetMs = 0;
  let timer: NodeJS.Timeout | undefined;

  function tell(): void {
    if (known !== null) onChange({ ...known, captureEnabled: known.captureEnabled && !heldOff });
  }

  if (heldOff) log.warn({ file: join(dataDir, captureOffFile) }, "capture is held off by a file");
  if (text !== "") {
    try {
      known = copyOf(text);
      tell();
    } catch (error) {
      log.warn({ path, error: messageOf(error) }, "the copy of the deployments cannot be read");
      text = "";
    }
  }

  async function keepCopy(): Promise<void> {
    try {
      // Several gateways may keep one copy.
      const aside = `${path}.${process.pid}`;
      await writeFile(aside, text, { mode: 0o600 });
      await rename(aside, path);
    } catch (error) {
      log.warn({ path, error: messageOf(error) }, "the copy of the deployments cannot be written");
    }
  }

  async function readClock(source: Pick<Registry, "clockMs">): Promise<void> {
    const askedMs = performance.now();
    const databaseMs = await source.clockMs();
    const roundTripMs = performance.now() - askedMs;
    if (roundTripMs > clockRoundTripMsMax) return;
    clockOffsetMs = Date.now() - roundTripMs / 2 - databaseMs;
    const far = Math.abs(clockOffsetMs) > skewMsMax;
    if (far && !skewed) log.warn({ clockOffsetMs }, "this machine's clock and Postgres' differ");
    if (!far && skewed) log.info({ clockOffsetMs }, "this machine's clock and Postgres' agree again");
    skewed = far;
  }

  async function poll(source: Pick<Registry, "gatewayConfig" | "clockMs">): Promise<void> {
    try {
      const config = await source.gatewayConfig();
      await readClock(source);
      if (closed) return;
      if (failing) log.info("Postgres answers again");
      failing = false;
      if (JSON.stringify(config) === text) return;
      text = JSON.stringify(config);
      known = config;
      tell();
      await keepCopy();
    } catch (error) {
      if (!failing)
        log.warn({ error: messageOf(error) }, "cannot ask for the deployments; going on as they were");
      failing = true;
    }
  }

  async function keepPolling(source: Pick<Registry, "gatewayConfig" | "clockMs">): Promise<void> {
    await poll(source);
    if (!closed) timer = setTimeout(() => void keepPolling(source), pollMs);
  }

  // Apart from the poll: Postgres may take many seconds to say that it is away.
  const fileTimer = setInterval(async () => {
    const now = await exists(join(dataDir, captureOffFile));
    if (closed || now === heldOff) return;
    heldOff = now;
    log.warn(
      { heldOff },
      heldOff ? "capture is held off by a file" : "the file that held off capture is gone",
    );
    tell();
  }, filePollMs);

  if (registry !== null) {
    const first = keepPolling(registry);
    // What the file says may be outdated, so Postgres gets a moment; it may take many seconds to say that it is away.
    await (known === null ? first : Promise.race([first, sleep(firstAnswerMs, undefined, { ref: false })]));
  }
  return {
    get clockOffsetMs() {
      return clockOffsetMs;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      clearInterval(fileTimer);
    },
  };
}

/** What the file says. One of an earlier version knows neither rules nor the switch for all. */
function copyOf(text: string): GatewayConfig {
  const { deployments, captureEnabled = true } = JSON.parse(text) as GatewayConfig;
  return {
    captureEnabled,
    deployments: deployments.map((deployment) => ({
      ...deployment,
      capture: captureSettingsSchema.parse(deployment.capture ?? {}),
      redaction: redactionSchema.parse(deployment.redaction ?? {}),
    })),
  };
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
