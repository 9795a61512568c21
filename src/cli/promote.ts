import { Command, Option } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Promotion } from "../control/api.js";
import { userName } from "./options.js";

/** `understudy promote`: gives a candidate an alias, if its newest gate allows it. */
export function promoteCommand(): Command {
  return new Command("promote")
    .description(
      "give a candidate the alias champion or challenger, if its newest gate passed and still holds",
    )
    .argument("<deployment>", "name of the deployment")
    .requiredOption("--candidate <name>", "name of the candidate")
    .addOption(
      new Option("--alias <alias>", "which alias").choices(["champion", "challenger"]).default("champion"),
    )
    .option("--by <name>", "who promotes (default: the user's name)")
    .option("--json", "print the promotion as JSON")
    .addHelpText(
      "after",
      "\nExits with 0 when it is promoted, and with 2 when it is refused or cannot be done.",
    )
    .action(
      async (
        deployment: string,
        options: { candidate: string; alias: string; by?: string; json?: boolean },
      ) => {
        const { candidate, alias, by = userName(), json } = options;
        const api = createApiClient(loadConfig().controlUrl);
        const held = await api.post<Promotion>(`/deployments/${encodeURIComponent(deployment)}/promotions`, {
          candidate,
          alias,
          by,
        });
        process.stdout.write(
          json
            ? `${JSON.stringify(held)}\n`
            : `${held.candidate} is ${held.alias} of ${held.deployment}, by gate ${held.gate}\n`,
        );
      },
    );
}
