import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { PolicyProposal } from "../control/api.js";
import { messageOf, UnderstudyError } from "../errors.js";

interface Options {
  candidate: string;
  run?: number;
  json?: boolean;
  write?: string;
}

/** `understudy policy propose`: tolerances from the noise that the control made, with the reasoning. */
export function policyProposeCommand(): Command {
  return new Command("propose")
    .description("propose tolerances from the measured noise, with the reasoning; nothing is put in force")
    .argument("<deployment>", "name of the deployment")
    .requiredOption("--candidate <name>", "the candidate in whose jobs the control was replayed to")
    .option("--run <id>", "the run whose noise counts (default: the newest live run)", Number)
    .option("--write <file>", "write the policy into a file, for `policy try` and `policy set`")
    .option("--json", "print the proposal as JSON")
    .action(async (deployment: string, { candidate, run, json, write }: Options) => {
      const api = createApiClient(loadConfig().controlUrl);
      const path = `/deployments/${encodeURIComponent(deployment)}/candidates/${encodeURIComponent(candidate)}`;
      const proposal = await api.get<PolicyProposal>(
        `${path}/policy-proposal${run === undefined ? "" : `?run=${run}`}`,
      );
      if (write !== undefined) await writePolicy(write, proposal);
      process.stdout.write(json ? `${JSON.stringify(proposal)}\n` : proposalText(proposal, write));
      if (write !== undefined) {
        process.stderr.write(
          `written; next: understudy policy try ${write} --deployment ${deployment} --candidate ${candidate}\n`,
        );
      }
    });
}

function proposalText({ policy, reasons, measured }: PolicyProposal, written: string | undefined): string {
  const told = reasons.map((reason) => `${reason}\n`).join("\n");
  return measured && written === undefined ? `${told}\n${JSON.stringify(policy, null, 2)}\n` : told;
}

/** @throws UnderstudyError `conflict` when there is nothing to propose; `usage` when the file cannot be written */
async function writePolicy(path: string, { policy, measured, reasons }: PolicyProposal): Promise<void> {
  if (!measured) {
    throw new UnderstudyError("conflict", reasons.join("\n"), { hint: `${path} was not written.` });
  }
  try {
    await writeFile(path, `${JSON.stringify(policy, null, 2)}\n`);
  } catch (error) {
    throw new UnderstudyError("usage", `${path} cannot be written: ${messageOf(error)}`, {
      hint: "Name a file in a folder that exists.",
    });
  }
}
