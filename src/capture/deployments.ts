import { readFile, rename, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import { redactionSchema } from "../redaction/settings.js";
import type { Registry } from "../store/groups.js";
import type { GatewayConfig } from "../store/types.js";
import { captureSettingsSchema } from "./settings.js";

/** How soon a change, the kill switch above all, reaches the gateway. */
const pollMs = 1_000;
/** How long a gateway that has a copy waits for Postgres before it serves by the copy. */
const firstAnswerMs = 1_500;

/**
 * Watches which deployments there are. The last answer is kept in a file, so that a gateway knows its deployments
 * when it starts while Postgres is away.
 */
export interface DeploymentWatch {
  close(): void;
}

/** @param deps.onChange told the deployments from the file at once, if there is one, then every change */
export async function watchDeployments(deps: {
  registry: Registry | null;
  path: string;
  onChange: (config: GatewayConfig) => void;
  log: Logger;
}): Promise<DeploymentWatch> {
  const { registry, path, onChange, log } = deps;
  let known = await readFile(path, "utf8").catch(() => "");
  let closed = false;
  let failing = false;
  let timer: NodeJS.Timeout | undefined;

  if (known !== "") {
    try {
      onChange(copyOf(known));
    } catch (error) {
      log.warn({ path, error: messageOf(error) }, "the copy of the deployments cannot be read");
      known = "";
    }
  }

  async function keepCopy(text: string): Promise<void> {
    try {
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
    } catch (error) {
      log.warn({ path, error: messageOf(error) }, "the copy of the deployments cannot be written");
    }
  }

  async function poll(source: Registry): Promise<void> {
    try {
      const config = await source.gatewayConfig();
      const text = JSON.stringify(config);
      if (closed) return;
      if (failing) log.info("Postgres answers again");
      failing = false;
      if (text === known) return;
      known = text;
      onChange(config);
      await keepCopy(text);
    } catch (error) {
      if (!failing)
        log.warn({ error: messageOf(error) }, "cannot ask for the deployments; going on as they were");
      failing = true;
    }
  }

  async function keepPolling(source: Registry): Promise<void> {
    await poll(source);
    if (!closed) timer = setTimeout(() => void keepPolling(source), pollMs);
  }

  if (registry !== null) {
    const first = keepPolling(registry);
    // What the file says may be outdated, so Postgres gets a moment; it may take many seconds to say that it is away.
    await (known === "" ? first : Promise.race([first, sleep(firstAnswerMs, undefined, { ref: false })]));
  }
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** What the file says. One of an earlier version says nothing of rules. */
function copyOf(text: string): GatewayConfig {
  const { deployments } = JSON.parse(text) as GatewayConfig;
  return {
    deployments: deployments.map((deployment) => ({
      ...deployment,
      capture: captureSettingsSchema.parse(deployment.capture ?? {}),
      redaction: redactionSchema.parse(deployment.redaction ?? {}),
    })),
  };
}
