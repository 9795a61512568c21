import { writeFile } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { fastestKernel } from "../compare/fastest-kernel.js";
import { type Policy, parsePolicy } from "../compare/policy.js";
import type { Result } from "../compare/types.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { compareFiles } from "../offline/compare-files.js";
import { limits } from "../offline/limits.js";
import { reportOf } from "../offline/report.js";
import { reportHtml } from "../offline/report-html.js";
import { plainJson } from "../protocol/json.js";
import { diffText } from "./diff-text.js";
import { readPolicyFile } from "./policy-file.js";

interface Options {
  rule: "numpy" | "polygraphy" | "exact";
  rtol?: number;
  atol?: number;
  policy?: string;
  output?: string;
  headerLength?: [number, number];
  json?: boolean;
  html?: string;
}

const more = `
LEFT is the primary's answer, the reference. Each is an .npy or .npz file, or the body of a V2 inference response.

Exit codes:
  0  match
  1  mismatch: values, datatypes, shapes, or an output that only one of them has
  2  cannot compare

Examples:
  understudy diff golden.npz candidate.npz --rtol 1e-3
  understudy diff primary.json candidate.bin --rule exact --json`;

/** `understudy diff`: compares two saved answers offline. */
export function diffCommand(): Command {
  return new Command("diff")
    .description("compare two saved answers (.npy, .npz or V2 responses), without any service")
    .argument("<left>", "file with the primary's answer, the reference")
    .argument("<right>", "file with the candidate's answer")
    .addOption(
      new Option("--rule <rule>", "how elements are judged")
        .choices(["numpy", "polygraphy", "exact"])
        .default("numpy"),
    )
    .option("--rtol <rtol>", "relative tolerance (default: 1e-5)", tolerance)
    .option("--atol <atol>", "absolute tolerance (default: 1e-8 for numpy, 1e-5 for polygraphy)", tolerance)
    .addOption(
      new Option("--policy <file>", "judge each output by this policy instead").conflicts([
        "rule",
        "rtol",
        "atol",
      ]),
    )
    .option("--output <name>", "compare this output only")
    .option(
      "--header-length <bytes>",
      "of binary V2 responses: the length of their JSON, both or LEFT,RIGHT (default: it is found)",
      headerLengths,
    )
    .option("--json", "print the report as JSON")
    .option("--html <file>", "also write the report as a page")
    .addHelpText("after", more)
    .action(diff);
}

async function diff(left: string, right: string, options: Options): Promise<void> {
  const policy = options.policy === undefined ? policyOf(options) : await readPolicyFile(options.policy);
  const comparison = await compareFiles(left, right, {
    policy,
    kernel: fastestKernel,
    limits,
    nowMs: Date.now(),
    output: options.output,
    headerLengths: options.headerLength,
  });
  const judgedBy = options.policy === undefined ? policy.outputs["*"]! : null;
  const report = reportOf(comparison, { left, right }, judgedBy);
  if (options.html !== undefined) await writePage(options.html, reportHtml(report));
  process.stdout.write(`${options.json ? JSON.stringify(plainJson(report)) : diffText(report)}\n`);
  if (report.result === "ignored") {
    process.stderr.write("nothing was judged: the policy ignores every output\n");
  }
  process.exitCode = exitCodeOf(report.result);
}

function policyOf({ rule, rtol, atol }: Options): Policy {
  if (rule === "exact" && (rtol ?? atol) !== undefined) {
    throw new UnderstudyError("usage", "The rule exact has no tolerances.", {
      hint: "Leave out --rtol and --atol, or choose --rule numpy or polygraphy.",
    });
  }
  return parsePolicy({ outputs: { "*": rule === "exact" ? { rule } : { rule, rtol, atol } } });
}

/** A verdict on nothing is none: `ignored` must not pass. */
function exitCodeOf(result: Result): number {
  switch (result) {
    case "match":
      return 0;
    case "mismatch":
      return 1;
    case "ignored":
    case "incomparable":
      return 2;
  }
}

async function writePage(path: string, page: string): Promise<void> {
  try {
    await writeFile(path, page);
  } catch (error) {
    throw new UnderstudyError("usage", `${path} cannot be written: ${messageOf(error)}`);
  }
}

function tolerance(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value < Infinity)) {
    throw new InvalidArgumentError("must be a finite number, 0 or more");
  }
  return value;
}

function headerLengths(text: string): [number, number] {
  const [, left, right = left] = /^(\d{1,15})(?:,(\d{1,15}))?$/.exec(text) ?? [];
  if (left === undefined)
    throw new InvalidArgumentError("must be a length in bytes, or two with a comma between");
  return [Number(left), Number(right)];
}
