import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Policy } from "../control/api.js";

/** `understudy policy show`: prints the policy in force, in the form that `set` and `try` read. */
export function policyShowCommand(): Command {
  return new Command("show")
    .description("print the policy in force, in the form that set and try read")
    .argument("<deployment>", "name of the deployment")
    .option("--json", "print version and date as well, on one line")
    .action(async (deployment: string, options: { json?: boolean }) => {
      const api = createApiClient(loadConfig().controlUrl);
      const policy = await api.get<Policy>(`/deployments/${encodeURIComponent(deployment)}/policy`);
      process.stdout.write(
        `${options.json ? JSON.stringify(policy) : JSON.stringify(policy.body, null, 2)}\n`,
      );
      if (!options.json) process.stderr.write(`version ${policy.version} of ${deployment}\n`);
    });
}
