import type { Report, ReportedOutput } from "../offline/report.js";
import {
  firstOutputs,
  headline,
  outputCells,
  outputHeadings,
  outputNotes,
  parameterNotes,
  ruleText,
  worstCells,
  worstHeadings,
} from "../offline/report-cells.js";
import { table } from "./table.js";

const outputsMax = 100;
const worstOutputsMax = 10;

/** A report for the terminal: the verdict, a table of outputs, and the worst elements of those that mismatch. */
export function diffText(report: Report): string {
  const shown = firstOutputs(report.outputs, outputsMax);
  const more = report.outputs.length - shown.length;
  const notes = [
    ...shown.flatMap((output) => outputNotes(output, report.rule)),
    ...parameterNotes(report).map((note) => `response: ${note}`),
  ];
  const worst = shown.filter(({ result, worst }) => result === "mismatch" && worst.length > 0);
  return [
    `${headline(report)}\n${ruleText(report)}`,
    table(outputHeadings, shown.map(outputCells)) + (more > 0 ? `\n… and ${more} more` : ""),
    ...(notes.length > 0 ? [notes.join("\n")] : []),
    ...worst.slice(0, worstOutputsMax).map(worstText),
  ].join("\n\n");
}

function worstText(output: ReportedOutput): string {
  const [name] = outputCells(output);
  const rows = output.worst.map((worst) => worstCells(output, worst));
  return `worst elements of ${name}\n${table(worstHeadings, rows)}`;
}
