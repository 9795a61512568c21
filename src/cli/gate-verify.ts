import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import { type Gate, gate as gateSchema } from "../control/api.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { uncountable } from "../gate/standing.js";
import { envelopeFaults, faultsOf } from "../gate/verify.js";

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
      const { id, sha256, report, ...envelope } = await evidenceIn(file);
      if (report === null) throw noEvidence(file);
      const faults = [...faultsOf(report, sha256), ...envelopeFaults(envelope, report)];
      const stored = offline
        ? null
        : await createApiClient(loadConfig().controlUrl).get<Gate>(`/gates/${id}`);
      if (stored !== null) faults.push(...faultsOfStored(stored, sha256));
      const dropped = stored?.standing?.dropped ?? null;
      if (faults.length === 0 && dropped !== null) {
        throw new UnderstudyError("conflict", `${file} cannot be checked any more: ${uncountable(dropped)}`, {
          hint: "`--offline` checks the file by itself.",
        });
      }
      for (const fault of faults) process.stdout.write(`${file} does not hold: ${fault}\n`);
      process.exitCode = faults.length === 0 ? 0 : 1;
      if (faults.length > 0) return;
      const what = `gate ${id}, ${report.verdict}, of ${report.deployment}/${report.candidate}`;
      process.stdout.write(`${file} holds: ${what}\n`);
      if (stored === null) {
        process.stdout.write("by itself: not held against the control plane, nor are its approvals\n");
        return;
      }
      for (const { by, reason, lapsed } of stored.approvals) {
        process.stdout.write(
          `approved by ${by}: ${reason}${lapsed === null ? "" : ` (lapsed: ${lapsed})`}\n`,
        );
      }
    });
}

function faultsOfStored({ id, sha256, standing }: Gate, given: string | null): string[] {
  const { changed = [], erased = 0 } = standing ?? {};
  if (erased > 0) process.stderr.write(`${erased} of its requests were erased since\n`);
  return [
    ...(sha256 === given ? [] : [`gate ${id} is stored with another digest`]),
    ...(changed.length === 0 ? [] : [`changed since it was judged: ${changed.join(", ")}`]),
  ];
}

const noEvidence = (file: string) =>
  new UnderstudyError("file_unreadable", `${file} holds no evidence of a gate`, {
    hint: "Name a file that `understudy gate … --report FILE.json` wrote.",
  });

async function evidenceIn(file: string): Promise<Gate> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new UnderstudyError("file_unreadable", `${file} cannot be read as evidence: ${messageOf(error)}`);
  }
  const parsed = gateSchema.safeParse(content);
  if (parsed.success) return content as Gate;
  throw noEvidence(file);
}
