import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Deployment } from "../control/api.js";
import { readRedactionFile } from "./redaction-file.js";

const pathOf = (deployment: string) => `/deployments/${encodeURIComponent(deployment)}`;

/** `understudy redaction`: what is taken out of a deployment's captures before anything is written. */
export function redactionCommand(): Command {
  return new Command("redaction")
    .description("show or set what is taken out of captures before anything is written")
    .addCommand(
      new Command("show")
        .description("print the redaction of a deployment, in the form that set reads")
        .argument("<deployment>", "name of the deployment")
        .option("--json", "print it on one line")
        .action(async (deployment: string, options: { json?: boolean }) => {
          const api = createApiClient(loadConfig().controlUrl);
          const { redaction } = await api.get<Deployment>(pathOf(deployment));
          process.stdout.write(`${JSON.stringify(redaction, null, options.json ? 0 : 2)}\n`);
        }),
    )
    .addCommand(
      new Command("set")
        .description("replace the redaction of a deployment; gateways follow within a second or two")
        .argument("<deployment>", "name of the deployment")
        .argument("<file>", "JSON file with rules and subject, as docs/redaction.md has it")
        .option("--json", "print the deployment as JSON")
        .action(async (deployment: string, file: string, options: { json?: boolean }) => {
          const api = createApiClient(loadConfig().controlUrl);
          const redaction = await readRedactionFile(file);
          const changed = await api.patch<Deployment>(pathOf(deployment), { redaction });
          const { rules, subject } = changed.redaction;
          process.stdout.write(
            options.json
              ? `${JSON.stringify(changed)}\n`
              : `${deployment}: ${rules.length} redaction rule${rules.length === 1 ? "" : "s"}, ` +
                  `${subject === null ? "no subject" : "subjects are kept as keyed hashes"}\n`,
          );
        }),
    );
}
