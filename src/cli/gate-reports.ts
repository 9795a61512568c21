import { writeFile } from "node:fs/promises";
import { extname } from "node:path";
import { InvalidArgumentError } from "commander";
import type { Gate } from "../control/api.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { gateHtml } from "../gate/html.js";
import { gateJunit } from "../gate/junit.js";
import { gateMarkdown } from "../gate/markdown.js";
import type { GateReport } from "../gate/report.js";

/** A report's forms, by the ending of the file that it is written to. */
const forms: Readonly<Record<string, (gate: Gate, report: GateReport) => string>> = {
  ".html": (_gate, report) => gateHtml(report),
  ".json": (gate) => `${JSON.stringify(gate, null, 2)}\n`,
  ".xml": (_gate, report) => gateJunit(report),
  ".md": (_gate, report) => gateMarkdown(report),
};

/** Collects the files of `--report`, for commander. */
export function reportFile(path: string, before: readonly string[] = []): string[] {
  if (extname(path).toLowerCase() in forms) return [...before, path];
  throw new InvalidArgumentError("must end in .html, .json (evidence), .xml (JUnit) or .md");
}

/** @throws UnderstudyError `usage` when one cannot be written */
export async function writeReports(paths: readonly string[], gate: Gate, report: GateReport): Promise<void> {
  for (const path of paths) {
    try {
      await writeFile(path, forms[extname(path).toLowerCase()]!(gate, report));
    } catch (error) {
      throw new UnderstudyError("usage", `${path} cannot be written: ${messageOf(error)}`);
    }
  }
}
