import { Command, InvalidArgumentError, Option } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { CaptureFilter, Replay, ReplayCreate } from "../control/api.js";
import { UnderstudyError } from "../errors.js";
import { duration, moment, pairs } from "./options.js";
import { replayReport } from "./replay-text.js";
import { watchReplay } from "./replay-watch.js";

interface Options extends FilterOptions {
  candidate?: string;
  control?: boolean;
  url?: string;
  model?: string;
  selection?: string;
  pace: ReplayCreate["pace"];
  concurrency?: number;
  rate?: number;
  onFailure: "skip" | "stop";
  wait: boolean;
  json?: boolean;
}

export interface FilterOptions {
  from?: number;
  to?: number;
  since?: number;
  status?: string[];
  errorsOnly?: boolean;
  primaryVersion?: string;
  beforeVersion?: string;
  afterVersion?: string;
  tag?: Record<string, string>;
  minLatency?: number;
  maxLatency?: number;
  divergedIn?: string;
  divergedInRun?: number;
  signature?: string;
  sample?: number;
  baseOnly?: boolean;
}

/** `understudy replay`: sends captured traffic again, and says what came of it. */
export function replayCommand(): Command {
  const command = new Command("replay")
    .description("replay captured traffic to a candidate, the control or any V2 endpoint")
    .argument("<deployment>", "name of the deployment")
    .option("--candidate <name>", "replay to this candidate")
    .option("--control", "replay to the deployment's control")
    .option("--url <url>", "replay to this V2 endpoint, without /v2")
    .option("--model <name>", "with --url: name of the model there (default: the primary's)")
    .option("--selection <name>", "the captures of this selection, instead of a filter");
  return addFilterOptions(command)
    .option("--pace <pace>", "original, a factor such as 10x, or max", paceOf, "original")
    .option("--concurrency <n>", "requests in flight at most (default: 8; paced: 256 in each worker)", Number)
    .option("--rate <n>", "requests a second at most; with --pace max", Number)
    .addOption(
      new Option("--on-failure <what>", "after a failure of the target")
        .choices(["skip", "stop"])
        .default("skip"),
    )
    .option("--no-wait", "start it, and return at once")
    .option("--json", "print the replay as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  understudy replay digits --candidate int8 --since 1h\n" +
        "  understudy replay digits --candidate int8 --errors-only --pace max\n" +
        "  understudy replay digits --url http://127.0.0.1:9001 --since 10m --pace 10x\n\n" +
        "Ctrl-C cancels the replay. Exits with 0 when it is done, whatever its comparisons came to: the gate decides.\n" +
        "With 2 when it cannot be started, failed or was cancelled.",
    )
    .action(async (deployment: string, options: Options) => {
      const api = createApiClient(loadConfig().controlUrl);
      const { candidate, control, url, model, selection, pace, concurrency, rate, onFailure } = options;
      const filter = filterOf(options);
      const opened = await api.post<Replay>("/replays", {
        deployment,
        candidate,
        control: control ? true : undefined,
        target: url === undefined ? undefined : { url, model },
        selection,
        filter: selection === undefined || Object.keys(filter).length > 0 ? filter : undefined,
        pace,
        concurrency,
        ratePerSecond: rate,
        onFailure,
      } satisfies { [Key in keyof ReplayCreate]: ReplayCreate[Key] | undefined });
      const done = options.wait ? await watchReplay(api, opened) : opened;
      process.stdout.write(options.json ? `${JSON.stringify(done)}\n` : replayReport(done));
      if (done.state === "failed" || done.state === "cancelled") {
        throw new UnderstudyError("conflict", `Replay ${done.id} ${endWords[done.state]}`, {
          hint: `${done.ended} of ${done.captures} captures were replayed; what was judged stays.`,
        });
      }
    });
}

const endWords = { failed: "failed", cancelled: "was cancelled" } as const;

/** The options by which captures are chosen. */
export function addFilterOptions(command: Command): Command {
  return command
    .option("--from <time>", "received from then on: ISO 8601, or Unix milliseconds", moment)
    .option("--to <time>", "received before then", moment)
    .option("--since <duration>", "received in the last so long: 30s, 15m, 24h, 7d", duration)
    .option("--status <status...>", "the primary answered so: 503, or a class such as 5xx")
    .option("--errors-only", "the primary answered with 400 or more")
    .option("--primary-version <version>", "answered by this version")
    .option("--before-version <version>", "received before this version first answered")
    .option("--after-version <version>", "received since this version first answered")
    .option("--tag <name=value...>", "with these tags", pairs)
    .option("--min-latency <ms>", "the primary took so long, or longer", Number)
    .option("--max-latency <ms>", "the primary took so long at most", Number)
    .option("--diverged-in <candidate>", "diverged for this candidate before")
    .option("--diverged-in-run <id>", "diverged in this run", Number)
    .option("--signature <id>", "diverged with this signature")
    .option("--base-only", "without targeted captures")
    .option("--sample <n>", "so many of these at most, at random", Number);
}

/** What the options say, as the API takes it. */
export function filterOf(options: FilterOptions): CaptureFilter {
  const all = {
    from: options.from,
    to: options.to,
    sinceMs: options.since,
    status: options.status,
    errorsOnly: options.errorsOnly,
    primaryVersion: options.primaryVersion,
    beforeVersion: options.beforeVersion,
    afterVersion: options.afterVersion,
    tags: options.tag,
    minPrimaryMs: options.minLatency,
    maxPrimaryMs: options.maxLatency,
    divergedIn: options.divergedIn,
    divergedInRun: options.divergedInRun,
    signature: options.signature,
    baseOnly: options.baseOnly,
    sample: options.sample,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function paceOf(text: string): NonNullable<ReplayCreate["pace"]> {
  if (text === "original" || text === "max") return text;
  const factor = /^(\d+(?:\.\d+)?)x?$/.exec(text)?.[1];
  if (factor !== undefined && Number(factor) > 0) return Number(factor);
  throw new InvalidArgumentError("must be original, max, or a factor such as 10x");
}
