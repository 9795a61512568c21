import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { DeadWork, DeadWorkPage, WorkRetry } from "../control/api.js";
import { UnderstudyError } from "../errors.js";
import { table } from "./table.js";

/** `understudy dead`: works that were given up. */
export function deadCommand(): Command {
  return new Command("dead")
    .description("works that were given up: requests over which workers died, segments that cannot be read")
    .addCommand(listCommand())
    .addCommand(retryCommand());
}

function listCommand(): Command {
  return new Command("list")
    .description("list them, the newest first")
    .argument("[deployment]", "name of the deployment (default: all)")
    .option("--json", "print them as JSON")
    .action(async (deployment: string | undefined, { json }: { json?: boolean }) => {
      const works = await allDead(deployment);
      process.stdout.write(json ? `${JSON.stringify(works)}\n` : `${textOf(works)}\n`);
    });
}

function retryCommand(): Command {
  return new Command("retry")
    .description("take works up again, once what killed them is mended")
    .argument("[works...]", "their numbers, as `understudy dead list` has them")
    .option("--all", "all of them")
    .option("--deployment <name>", "with --all: those of one deployment")
    .option("--json", "print the numbers of those taken up again as JSON")
    .action(async (works: string[], options: { all?: boolean; deployment?: string; json?: boolean }) => {
      if (options.all ? works.length > 0 : works.length === 0) {
        throw new UnderstudyError("usage", "Name the works to retry, or say --all", {
          hint: "`understudy dead list` lists them.",
        });
      }
      const api = createApiClient(loadConfig().controlUrl);
      const ids = options.all ? (await allDead(options.deployment)).map(({ id }) => id) : works;
      const retried: string[] = [];
      for (const id of ids) {
        retried.push((await api.post<WorkRetry>(`/works/${encodeURIComponent(id)}/retry`, {})).id);
      }
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ retried })}\n`
          : `${retried.length === 0 ? "no dead works" : `taken up again: ${retried.join(", ")}`}\n`,
      );
    });
}

async function allDead(deployment: string | undefined): Promise<DeadWork[]> {
  const api = createApiClient(loadConfig().controlUrl);
  const works: DeadWork[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ limit: "200" });
    if (deployment !== undefined) query.set("deployment", deployment);
    if (cursor !== null) query.set("cursor", cursor);
    const page: DeadWorkPage = await api.get<DeadWorkPage>(`/works?${query}`);
    works.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return works;
}

function textOf(works: readonly DeadWork[]): string {
  if (works.length === 0) return "no dead works";
  return table(
    ["work", "candidate", "run", "captures", "first capture", "why"],
    works.map(({ id, deployment, candidate, run, rows, capture, error }) => [
      id,
      `${deployment}/${candidate}`,
      String(run),
      rows,
      capture ?? "gone",
      error,
    ]),
  );
}
