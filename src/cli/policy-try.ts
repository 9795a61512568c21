import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { type ApiClient, createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Run } from "../control/api.js";
import { UnderstudyError } from "../errors.js";
import { readPolicyFile } from "./policy-file.js";
import { beforeAfterText } from "./policy-try-text.js";

interface Options {
  deployment: string;
  candidate: string;
  run?: number;
  from?: string;
  to?: string;
  json?: boolean;
}

const pollMs = 500;
/** Between two lines of progress. */
const tellMs = 2_000;
/** After so long without a work done the reader is told what may be missing. */
const patienceMs = 20_000;

/** `understudy policy try`: what another policy would have said of stored pairs, without inference. */
export function policyTryCommand(): Command {
  return new Command("try")
    .description("judge stored pairs again by another policy, without inference; what is in force stays so")
    .argument("<file>", "JSON file with rules and tolerances per output")
    .requiredOption("--deployment <name>", "name of the deployment")
    .requiredOption("--candidate <name>", "name of the candidate")
    .option("--run <id>", "the run whose pairs are judged again (default: the newest live run)", Number)
    .option("--from <time>", "only segments with captures from then on: ISO 8601, or Unix milliseconds")
    .option("--to <time>", "only segments with captures before then")
    .option("--json", "print the run as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  understudy policy try looser.json --deployment digits --candidate int8\n\n" +
        "Exits with 0 when the pairs were judged, whatever came of it, and with 2 when they could not be.",
    )
    .action(async (file: string, options: Options) => {
      const api = createApiClient(loadConfig().controlUrl);
      const { deployment, candidate, run, from, to } = options;
      const opened = await api.post<Run>(
        `/deployments/${encodeURIComponent(deployment)}/candidates/${encodeURIComponent(candidate)}/rejudge`,
        { policy: await readPolicyFile(file), run, from, to },
      );
      const done = await finished(api, opened);
      if (done.rejudge === null || done.rejudge.stored === 0) {
        throw new UnderstudyError(
          "conflict",
          `None of the pairs of run ${done.sourceRun} could be judged again`,
          {
            hint: `GET /api/v1/runs/${done.id} has the counts; a worker's log says what went wrong.`,
          },
        );
      }
      if (options.json) process.stdout.write(`${JSON.stringify(done)}\n`);
      else {
        const page = pageOf(loadConfig().controlUrl, done);
        process.stdout.write(`${beforeAfterText(done, done.rejudge)}\n${page}\n`);
      }
    });
}

/** Where the reviewer page shows it. */
function pageOf(controlUrl: string, { id, deployment, candidate }: Run): string {
  const path = `/deployments/${encodeURIComponent(deployment)}/candidates/${encodeURIComponent(candidate)}`;
  return `${controlUrl.replace(/\/+$/, "")}${path}?run=${id}`;
}

/** The run once none of its works is pending; tells how far it is on stderr. */
async function finished(api: ApiClient, opened: Run): Promise<Run> {
  let run = opened;
  let ended = -1;
  let movedMs = performance.now();
  let toldMs = Number.NEGATIVE_INFINITY;
  let warned = false;
  while (true) {
    const { works } = run;
    const nowMs = performance.now();
    const moved = works.total - works.pending !== ended;
    ended = works.total - works.pending;
    if (moved) movedMs = nowMs;
    if (works.pending === 0 || (moved && nowMs - toldMs >= tellMs)) {
      process.stderr.write(`run ${run.id}: ${ended} of ${works.total} segments judged again\n`);
      toldMs = nowMs;
    }
    if (!warned && nowMs - movedMs > patienceMs) {
      process.stderr.write("still waiting: does a worker run? `understudy worker` starts one\n");
      warned = true;
    }
    if (works.pending === 0) return run;
    await sleep(pollMs);
    run = await api.get<Run>(`/runs/${run.id}`);
  }
}
