import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Deployment } from "../control/api.js";
import { UnderstudyError } from "../errors.js";
import { addCaptureOptions, type CaptureOptions, captureOf } from "./capture-options.js";

interface Options extends CaptureOptions {
  json?: boolean;
}

/** `understudy deployment`: what is captured of a deployment, and which answers are kept. */
export function deploymentCommand(): Command {
  return new Command("deployment").description("change how a deployment is captured").addCommand(
    addCaptureOptions(
      new Command("set")
        .description(
          "change what is captured; what is not named stays, and gateways follow within two seconds",
        )
        .argument("<deployment>", "name of the deployment"),
    )
      .option("--json", "print the deployment as JSON")
      .addHelpText(
        "after",
        "\nExample:\n  understudy deployment set digits --sample-rate 10% --tags x-tenant",
      )
      .action(async (name: string, { json, ...options }: Options) => {
        if (Object.values(options).every((value) => value === undefined)) {
          throw new UnderstudyError("usage", "Nothing to change was named", {
            hint: "Name at least one option; `understudy deployment set --help` lists them.",
          });
        }
        const api = createApiClient(loadConfig().controlUrl);
        const path = `/deployments/${encodeURIComponent(name)}`;
        const changed = await api.patch<Deployment>(path, await captureOf(options));
        process.stdout.write(json ? `${JSON.stringify(changed)}\n` : textOf(changed));
      }),
  );
}

function textOf({ name, sampleRate, capture, keepAnswers }: Deployment): string {
  const { targets, tags, sequences } = capture;
  const names = (all: readonly string[]) => (all.length === 0 ? "none" : all.join(", "));
  return [
    `${name}: ${Number((sampleRate * 100).toPrecision(12))} % of requests captured`,
    `  rules for more: ${names(targets.map((rule) => rule.name))}`,
    `  tags: ${names(tags)}`,
    `  sequences: ${sequences ? "on" : "off"}`,
    `  answers kept: ${keepAnswers}`,
    "",
  ].join("\n");
}
