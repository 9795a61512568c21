import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import { type Gate, gate as gateSchema } from "../control/api.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { faultsOf } from "../gate/verify.js";

/** `understudy gate verify`: checks exported evidence, by itself and against the control plane. */
export function gateVerifyCommand(): Command {
  return new Command("verify")
    .description(
      "check evidence written by --report FILE.json: unchanged, sound, and still about what is there",
    )
    .argument("<file>", "the evidence")
    .option("--offline", "check the file by itself, without the control plane that stored it")
    .addHelpText(
      "after",
      "\nExits with 0 when it holds, 1 when it does not, and 2 when it cannot be checked.",
    )
    .action(async (file: string, { offline }: { offline?: boolean }) => {
      const given = await evidenceIn(file);
      const faults = given.report === null ? ["it holds no report"] : faultsOf(given.report, given.sha256);
      if (!offline) faults.push(...(await faultsOfStored(given)));
      for (const fault of faults) process.stdout.write(`${file} does not hold: ${fault}\n`);
      if (faults.length === 0) {
        process.stdout.write(
          `${file} holds: gate ${given.id}, ${given.verdict}, of ${given.deployment}/${given.candidate}` +
            `${offline ? "; by itself, not held against the control plane" : ""}\n`,
        );
      }
      process.exitCode = faults.length === 0 ? 0 : 1;
    });
}

async function faultsOfStored(given: Gate): Promise<string[]> {
  const stored = await createApiClient(loadConfig().controlUrl).get<Gate>(`/gates/${given.id}`);
  const faults: string[] = [];
  if (stored.sha256 !== given.sha256) faults.push(`gate ${given.id} is stored with another digest`);
  const { changed = [], erased = 0 } = stored.standing ?? {};
  if (changed.length > 0) faults.push(`changed since it was judged: ${changed.join(", ")}`);
  if (erased > 0) process.stderr.write(`${erased} of its requests were erased since\n`);
  return faults;
}

async function evidenceIn(file: string): Promise<Gate> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new UnderstudyError("file_unreadable", `${file} cannot be read as evidence: ${messageOf(error)}`);
  }
  const parsed = gateSchema.safeParse(content);
  if (parsed.success) return content as Gate;
  throw new UnderstudyError("file_unreadable", `${file} holds no evidence of a gate`, {
    hint: "Name a file that `understudy gate … --report FILE.json` wrote.",
  });
}
