import { Command, InvalidArgumentError } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Gate } from "../control/api.js";
import { UnderstudyError } from "../errors.js";
import { gateText } from "../gate/text.js";
import { gateApproveCommand } from "./gate-approve.js";
import { reportFile, writeReports } from "./gate-reports.js";
import { gateVerifyCommand } from "./gate-verify.js";
import { watchGate } from "./gate-watch.js";
import { duration, fraction, userName } from "./options.js";

interface Options {
  candidate?: string;
  since?: number;
  selection?: string;
  fresh?: boolean;
  maxDiffRate?: number;
  maxFlipRate?: number;
  maxErrorRate?: number;
  maxP99Regression?: number;
  minSamples?: number;
  minCoverage?: number;
  alpha?: number;
  acceptInlinePrimaryLatency?: boolean;
  author?: string;
  report?: string[];
  json?: boolean;
}

const more = `
A limit that is not given is not judged. Any limit that is shown to be broken is a fail; else any that is not shown to
be kept, too few samples, too little coverage or a ledger that does not balance leaves the gate inconclusive.

Exit codes:
  0  pass
  1  fail
  3  inconclusive
  2  cannot run

Examples:
  understudy gate digits --candidate int8 --max-diff-rate 1% --max-error-rate 0.1%
  understudy gate digits --candidate int8 --since 2h --max-diff-rate 1%
  understudy gate digits --candidate int8 --selection friday --max-diff-rate 1%

What is replayed is replayed until the verdict is certain. With --since or --selection, Ctrl-C cancels the gate.`;

/** `understudy gate`: judges a candidate by limits, for CI. */
export function gateCommand(): Command {
  return new Command("gate")
    .description("judge a candidate by limits: pass, fail or inconclusive, with the evidence")
    .argument("<deployment>", "name of the deployment")
    .option("--candidate <name>", "name of the candidate (required)")
    .option(
      "--since <span>",
      "judge what was captured this lately instead of the live run's last 24 hours: replay what is needed of it",
      duration,
    )
    .option("--selection <name>", "judge this sealed selection instead: the same for every candidate")
    .option("--fresh", "with --selection: ask the candidate anew, whatever earlier replays of it came to")
    .option("--max-diff-rate <rate>", "largest share of mismatches", fraction)
    .option("--max-flip-rate <rate>", "largest share of changed decisions", fraction)
    .option("--max-error-rate <rate>", "largest share of requests that the candidate fails", fraction)
    .option(
      "--max-p99-regression <share>",
      "how much larger its p99 latency may be than the control's",
      increase,
    )
    .option("--min-samples <n>", "comparisons that a pass takes (default: 1000)", positive)
    .option("--min-coverage <share>", "finished of what was captured (default: 95%)", fraction)
    .option("--alpha <share>", "how often a verdict may be wrong (default: 5%)", fraction)
    .option(
      "--accept-inline-primary-latency",
      "without a control, judge latency against the primary's own, measured under its own load",
    )
    .option("--author <name>", "who asks (default: the user's name)")
    .option(
      "--report <file>",
      "also write the report: .html, .json (evidence), .xml (JUnit), .md; may be repeated",
      reportFile,
    )
    .option("--json", "print the gate as JSON")
    .addHelpText("after", more)
    .action(gate)
    .addCommand(gateApproveCommand())
    .addCommand(gateVerifyCommand());
}

async function gate(deployment: string, options: Options, command: Command): Promise<void> {
  // Commander would ask the subcommands for it too.
  if (options.candidate === undefined) {
    command.error("error: required option '--candidate <name>' not specified");
  }
  const { since, json, author = userName(), report: files = [], ...rest } = options;
  const api = createApiClient(loadConfig().controlUrl);
  const opened = await api.post<Gate>("/gates", { deployment, sinceMs: since, author, ...rest });
  const done = await watchGate(api, opened);
  if (done.report === null || done.verdict === null) {
    throw new UnderstudyError("conflict", `Gate ${done.id} ended without a verdict. ${done.error}`);
  }
  await writeReports(files, done, done.report);
  process.stdout.write(json ? `${JSON.stringify(done)}\n` : `${gateText(done.report)}\ngate ${done.id}\n`);
  process.exitCode = exitCodeOf(done.verdict);
}

function exitCodeOf(verdict: NonNullable<Gate["verdict"]>): number {
  switch (verdict) {
    case "pass":
      return 0;
    case "fail":
      return 1;
    case "inconclusive":
      return 3;
  }
}

function positive(text: string): number {
  if (/^[1-9]\d{0,11}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("must be a whole number of at least 1");
}

/** `0.1` or `10%`; more than 100 % is possible. */
function increase(text: string): number {
  const value = /%$/.test(text) ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1_000)) {
    throw new InvalidArgumentError("must be a fraction of 0 or more, or a percentage such as 10%");
  }
  return value;
}
