import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Argument, Command } from "commander";
import { createApiClient } from "../api-client.js";
import { captureOffFile } from "../capture/deployments.js";
import { type Config, loadConfig } from "../config.js";
import type { CaptureSwitch, Deployment } from "../control/api.js";
import { UnderstudyError } from "../errors.js";

interface Options {
  local?: boolean;
  json?: boolean;
}

/** `understudy capture`: the kill switch. */
export function captureCommand(): Command {
  return new Command("capture")
    .description(
      "switch capture off or on: for one deployment, or for all; requests are served on either way",
    )
    .addArgument(new Argument("<switch>").choices(["off", "on"]))
    .argument("[deployment]", "name of the deployment (default: all)")
    .option(
      "--local",
      "for gateways on this machine with this data directory, by a file: needs no control plane",
    )
    .option("--json", "print what holds now as JSON")
    .addHelpText("after", "\nExamples:\n  understudy capture off\n  understudy capture on digits")
    .action(async (word: "off" | "on", deployment: string | undefined, options: Options) => {
      const enabled = word === "on";
      const config = loadConfig();
      if (options.local && deployment !== undefined) {
        throw new UnderstudyError("usage", "--local is for all deployments at once", {
          hint: "Leave out the deployment, or --local.",
        });
      }
      const said = options.local
        ? switchLocally(config, enabled)
        : await switchByApi(config, enabled, deployment);
      process.stdout.write(options.json ? `${JSON.stringify(said.state)}\n` : `${said.text}\n`);
    });
}

function switchLocally({ dataDir }: Config, enabled: boolean) {
  const path = join(dataDir, captureOffFile);
  if (enabled) rmSync(path, { force: true });
  else {
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(path, "");
  }
  return {
    state: { enabled: !existsSync(path), path },
    text: enabled
      ? `capture is no longer held off by ${path}`
      : `capture is off for gateways with the data directory ${dataDir}, within a second, until the file ${path} is gone`,
  };
}

async function switchByApi({ controlUrl }: Config, enabled: boolean, deployment: string | undefined) {
  const api = createApiClient(controlUrl);
  if (deployment === undefined) {
    const state = await api.patch<CaptureSwitch>("/capture", { enabled });
    return { state, text: `capture is ${wordOf(state.enabled)} for all deployments, within two seconds` };
  }
  const path = `/deployments/${encodeURIComponent(deployment)}`;
  const changed = await api.patch<Deployment>(path, { captureEnabled: enabled });
  const { enabled: forAll } = await api.get<CaptureSwitch>("/capture");
  return {
    state: { deployment, enabled: changed.captureEnabled, forAll },
    text:
      `capture is ${wordOf(changed.captureEnabled)} for ${changed.name}, within two seconds` +
      (enabled && !forAll ? ", but off for all deployments; next: understudy capture on" : ""),
  };
}

const wordOf = (enabled: boolean) => (enabled ? "on" : "off");
