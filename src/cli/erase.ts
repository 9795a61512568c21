import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Erasure, ErasureCreate } from "../control/api.js";
import { UnderstudyError } from "../errors.js";
import { eraseReport } from "./erase-text.js";
import { watchErasure } from "./erase-watch.js";
import { duration } from "./options.js";

interface Options {
  request?: string;
  subject?: string;
  deployment?: string;
  resume?: string;
  wait: number | false;
  json?: boolean;
}

const waitDefaultMs = 180_000;

/** `understudy erase`: has a request, or all of a subject's, forgotten, and proves it. */
export function eraseCommand(): Command {
  return new Command("erase")
    .description("erase a request, or all of a subject's, from everything that is kept, and prove it")
    .option("--request <id>", "a capture's id, a comparison's, or the x-request-id that the client sent")
    .option("--subject <value>", "whose requests, as they say it (docs/redaction.md)")
    .option("--deployment <name>", "of this deployment alone (default: all)")
    .option("--resume <erasure>", "go on waiting for one that was begun")
    .option("--wait <duration>", "wait so long for the proof: 30s, 10m", duration, waitDefaultMs)
    .option("--no-wait", "begin it, and return at once")
    .option("--json", "print the erasure as JSON")
    .addHelpText(
      "after",
      "\nExits with 0 when nothing is left (with --no-wait: when it has begun), with 2 when that is not proved yet.",
    )
    .action(async ({ request, subject, deployment, resume, wait, json }: Options) => {
      if ([request, subject, resume].filter((given) => given !== undefined).length !== 1) {
        throw new UnderstudyError("usage", "Say what to erase: one of --request, --subject and --resume", {
          hint: "See `understudy erase --help`.",
        });
      }
      const api = createApiClient(loadConfig().controlUrl);
      const begun =
        resume === undefined
          ? await api.post<Erasure>("/erasures", { request, subject, deployment } satisfies {
              [Key in keyof ErasureCreate]: ErasureCreate[Key] | undefined;
            })
          : await api.get<Erasure>(`/erasures/${encodeURIComponent(resume)}`);
      const last = wait === false ? begun : await watchErasure(api, begun, wait);
      process.stdout.write(json ? `${JSON.stringify(last)}\n` : eraseReport(last));
      if (wait !== false && last.state !== "done") {
        throw new UnderstudyError("conflict", `Erasure ${last.id} is not proved yet.`, {
          hint: `It goes on by itself. \`understudy erase --resume ${last.id}\` waits for it.`,
        });
      }
    });
}
