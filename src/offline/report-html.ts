import { escaped, htmlPage } from "../markup.js";
import type { Report, ReportedOutput } from "./report.js";
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
} from "./report-cells.js";

const outputsMax = 1000;
const worstOutputsMax = 100;

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 90rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.match { color: light-dark(#116329, #4ac26b); } .mismatch { color: light-dark(#a40e26, #ff7b72); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid light-dark(#d0d7de, #444c56); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
`;

/** A report as one page that needs nothing else: no script, no request. Whatever names it holds are only text in it. */
export function reportHtml(report: Report): string {
  const shown = firstOutputs(report.outputs, outputsMax);
  const more = report.outputs.length - shown.length;
  const worst = shown.filter(({ result, worst }) => result === "mismatch" && worst.length > 0);
  const notes = shown.flatMap((output) => outputNotes(output, report.rule));
  const title = headline(report);
  const body = `<h1 class="${report.result}">${escaped(title)}</h1>
<p>${escaped(ruleText(report))}</p>
${htmlTable(outputHeadings, shown.map(outputRow))}
${more > 0 ? `<p>… and ${more} more</p>\n` : ""}${list("Notes", notes)}${list("Parameters of the response", parameterNotes(report))}${worst
  .slice(0, worstOutputsMax)
  .map(worstSection)
  .join("")}`;
  return htmlPage({ title, style, body });
}

interface Row {
  cells: readonly string[];
  className: string;
}

function outputRow(output: ReportedOutput): Row {
  return { cells: outputCells(output), className: output.result };
}

function worstSection(output: ReportedOutput): string {
  const rows = output.worst.map((worst) => ({ cells: worstCells(output, worst), className: "" }));
  return `<h2>Worst elements of ${escaped(outputCells(output)[0]!)}</h2>\n${htmlTable(worstHeadings, rows)}\n`;
}

function list(heading: string, items: readonly string[]): string {
  if (items.length === 0) return "";
  const lines = items.map((item) => `<li>${escaped(item)}</li>`);
  return `<h2>${heading}</h2>\n<ul>\n${lines.join("\n")}\n</ul>\n`;
}

function htmlTable(headings: readonly string[], rows: readonly Row[]): string {
  const head = headings.map((heading) => `<th scope="col">${heading}</th>`).join("");
  const body = rows.map(({ cells, className }) => {
    // Isolated, so that a name written from right to left does not turn its row around.
    const columns = cells.map((cell) => `<td><bdi>${escaped(cell)}</bdi></td>`).join("");
    return `<tr class="${className}">${columns}</tr>`;
  });
  return `<div class="scroll"><table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body.join("\n")}\n</tbody>\n</table></div>`;
}
