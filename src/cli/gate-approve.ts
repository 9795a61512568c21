import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Gate } from "../control/api.js";

/** `understudy gate approve`: binds a person's approval to a gate's evidence. */
export function gateApproveCommand(): Command {
  return new Command("approve")
    .description("approve a gate that passed; lapses when the model, the policy or the account changes")
    .argument("<gate>", "its number")
    .requiredOption("--by <name>", "who approves")
    .requiredOption("--reason <text>", "why")
    .action(async (id: string, approval: { by: string; reason: string }) => {
      const api = createApiClient(loadConfig().controlUrl);
      const gate = await api.post<Gate>(`/gates/${encodeURIComponent(id)}/approvals`, approval);
      process.stdout.write(
        `gate ${gate.id} of ${gate.deployment}/${gate.candidate} approved by ${approval.by}\n`,
      );
    });
}
