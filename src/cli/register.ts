import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Deployment } from "../control/api.js";
import { addCaptureOptions, type CaptureOptions, captureOf } from "./capture-options.js";
import { readPolicyFile } from "./policy-file.js";
import { readRedactionFile } from "./redaction-file.js";

interface Options extends CaptureOptions {
  primary: string;
  replica?: string[];
  model?: string;
  version?: string;
  control?: string;
  policy?: string;
  redaction?: string;
  json?: boolean;
}

/** `understudy register`: makes a deployment. */
export function registerCommand(): Command {
  const command = new Command("register")
    .description("register a deployment: one model name behind the gateway, and its primary")
    .argument("<deployment>", "name of the deployment")
    .requiredOption("--primary <url>", "V2 endpoint that answers production, without /v2")
    .option("--replica <url...>", "further URLs of the same model and version; the least busy is asked")
    .option("--model <name>", "name of the model there (default: the deployment's name)")
    .option("--version <version>", "version of the model there")
    .option("--control <url>", "a second replica of the primary, to measure noise");
  return addCaptureOptions(command)
    .option("--policy <file>", "JSON file with rules and tolerances per output")
    .option("--redaction <file>", "JSON file: what is taken out of captures before anything is written")
    .option("--json", "print the deployment as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  understudy register digits --primary http://127.0.0.1:9000 --sample-rate 10%",
    )
    .action(async (name: string, options: Options) => {
      const api = createApiClient(loadConfig().controlUrl);
      const at = { model: options.model, version: options.version };
      const deployment = await api.post<Deployment>("/deployments", {
        name,
        primary: {
          url: options.primary,
          ...at,
          ...(options.replica === undefined ? {} : { replicas: options.replica }),
        },
        ...(options.control === undefined ? {} : { control: { url: options.control, ...at } }),
        ...(await captureOf(options)),
        ...(options.redaction === undefined ? {} : { redaction: await readRedactionFile(options.redaction) }),
        ...(options.policy === undefined ? {} : { policy: await readPolicyFile(options.policy) }),
      });
      process.stdout.write(
        options.json
          ? `${JSON.stringify(deployment)}\n`
          : `registered deployment ${deployment.name}: ${deployment.primary.model} at ${deployment.primary.url}, ` +
              `${deployment.sampleRate * 100} % of requests captured\n` +
              `next: understudy candidate ${deployment.name} NAME URL\n`,
      );
    });
}
