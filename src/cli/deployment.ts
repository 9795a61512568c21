import { Command, InvalidArgumentError } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Deployment } from "../control/api.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { readFileWithin } from "../offline/read-file.js";
import { fraction } from "./options.js";

interface Options {
  sampleRate?: number;
  targets?: string;
  tags?: string[];
  sequences?: boolean;
  keepAnswers?: string | number;
  json?: boolean;
}

/** More than eight rules need. */
const targetsBytesMax = 1024 ** 2;

/** `understudy deployment`: what is captured of a deployment, and which answers are kept. */
export function deploymentCommand(): Command {
  return new Command("deployment").description("change how a deployment is captured").addCommand(
    new Command("set")
      .description("change what is captured; what is not named stays, and gateways follow within two seconds")
      .argument("<deployment>", "name of the deployment")
      .option("--sample-rate <fraction>", "share of requests to capture, such as 0.1 or 10%", fraction)
      .option(
        "--targets <file>",
        "JSON list of rules that add captures, as docs/capture.md has it; [] for none",
      )
      .option(
        "--tags <headers>",
        'request headers kept as tags, such as x-tenant,x-region; "" for none',
        list,
      )
      .option("--sequences <on|off>", "capture requests with a sequence_id, each sequence whole", onOff)
      .option("--keep-answers <which>", "candidates' answers to keep: all, divergent, none, or a share", kept)
      .option("--json", "print the deployment as JSON")
      .addHelpText(
        "after",
        "\nExample:\n  understudy deployment set digits --sample-rate 10% --tags x-tenant",
      )
      .action(async (name: string, options: Options) => {
        const { sampleRate, targets, tags, sequences, keepAnswers } = options;
        if ([sampleRate, targets, tags, sequences, keepAnswers].every((value) => value === undefined)) {
          throw new UnderstudyError("usage", "Nothing to change was named", {
            hint: "Name at least one option; `understudy deployment set --help` lists them.",
          });
        }
        const api = createApiClient(loadConfig().controlUrl);
        const capture = {
          ...(targets === undefined ? {} : { targets: await readTargets(targets) }),
          tags,
          sequences,
        };
        const changed = await api.patch<Deployment>(`/deployments/${encodeURIComponent(name)}`, {
          sampleRate,
          capture,
          keepAnswers,
        });
        process.stdout.write(options.json ? `${JSON.stringify(changed)}\n` : textOf(changed));
      }),
  );
}

function textOf({ name, sampleRate, capture, keepAnswers }: Deployment): string {
  const { targets, tags, sequences } = capture;
  const names = (all: readonly string[]) => (all.length === 0 ? "none" : all.join(", "));
  return [
    `${name}: ${Number((sampleRate * 100).toPrecision(12))} % of requests captured`,
    `  rules for more: ${names(targets.map((rule) => rule.name))}`,
    `  tags: ${names(tags)}`,
    `  sequences: ${sequences ? "on" : "off"}`,
    `  answers kept: ${keepAnswers}`,
    "",
  ].join("\n");
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
