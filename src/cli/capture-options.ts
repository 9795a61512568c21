import { type Command, InvalidArgumentError } from "commander";
import { messageOf, UnderstudyError } from "../errors.js";
import { readFileWithin } from "../offline/read-file.js";
import { fraction } from "./options.js";

/** What is captured of a deployment, as it is said on the command line. */
export interface CaptureOptions {
  sampleRate?: number;
  targets?: string;
  tags?: string[];
  sequences?: boolean;
  keepAnswers?: string | number;
}

/** More than eight rules need. */
const targetsBytesMax = 1024 ** 2;

/** Adds the options that {@link captureOf} reads. */
export function addCaptureOptions(command: Command): Command {
  return command
    .option(
      "--sample-rate <fraction>",
      "share of requests to capture, such as 0.1 or 10%; at first all",
      fraction,
    )
    .option(
      "--targets <file>",
      "JSON list of rules that add captures, as docs/capture.md has it; [] for none",
    )
    .option("--tags <headers>", 'request headers kept as tags, such as x-tenant,x-region; "" for none', list)
    .option("--sequences <on|off>", "capture requests with a sequence_id, each sequence whole", onOff)
    .option("--keep-answers <which>", "candidates' answers to keep: all, divergent, none, or a share", kept);
}

/**
 * The same as fields of the API's deployments; absent options are absent there.
 * @throws UnderstudyError `usage` when the file of rules cannot be read
 */
export async function captureOf({ sampleRate, targets, tags, sequences, keepAnswers }: CaptureOptions) {
  const capture = {
    ...(targets === undefined ? {} : { targets: await readTargets(targets) }),
    tags,
    sequences,
  };
  return { sampleRate, capture, keepAnswers };
}

/** The control plane says what is wrong with a rule; only what is no JSON is told here. */
async function readTargets(path: string): Promise<unknown> {
  try {
    return JSON.parse((await readFileWithin(path, targetsBytesMax)).toString("utf8")) as unknown;
  } catch (error) {
    throw new UnderstudyError("usage", `${path} cannot be read as rules: ${messageOf(error)}`, {
      hint: "Name a file that holds a JSON list of rules; docs/capture.md shows them under Targeted captures.",
    });
  }
}

function list(text: string): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function onOff(text: string): boolean {
  if (text === "on" || text === "off") return text === "on";
  throw new InvalidArgumentError("must be on or off");
}

function kept(text: string): string | number {
  return ["all", "divergent", "none"].includes(text) ? text : fraction(text);
}
