import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Policy } from "../control/api.js";
import { readPolicyFile } from "./policy-file.js";

/** `understudy policy set`: puts a policy in force. */
export function policySetCommand(): Command {
  return new Command("set")
    .description("put a policy in force: a new version, and new live runs under it")
    .argument("<deployment>", "name of the deployment")
    .argument("<file>", "JSON file with rules and tolerances per output")
    .option("--json", "print the policy as JSON")
    .action(async (deployment: string, file: string, options: { json?: boolean }) => {
      const api = createApiClient(loadConfig().controlUrl);
      const path = `/deployments/${encodeURIComponent(deployment)}/policy`;
      const policy = await api.put<Policy>(path, await readPolicyFile(file));
      process.stdout.write(
        options.json
          ? `${JSON.stringify(policy)}\n`
          : `${deployment} is judged by policy version ${policy.version}\n`,
      );
    });
}
