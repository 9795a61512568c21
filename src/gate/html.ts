import { escaped, htmlPage } from "../markup.js";
import { countText, floatText, momentText, msText, percentText } from "./numbers.js";
import { diffRatePlot, errorPlot, latencyPlot } from "./plots.js";
import type { GateReport } from "./report.js";
import { sum } from "./set.js";
import {
  boundsText,
  criterionTitles,
  observedText,
  outlookText,
  requirementText,
  requirementTitles,
} from "./words.js";

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: light-dark(#191c21, #e5e8ec); background: light-dark(#fff, #121418); }
h1 { font-size: 1.5rem; margin-bottom: .25rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.quiet { color: light-dark(#5b6370, #9aa4b2); }
.verdict { display: inline-block; padding: .1rem .7rem; border-radius: .4rem; color: #fff; text-transform: uppercase; letter-spacing: .04em; font-size: .9em; }
.verdict.pass { background: #176b41; } .verdict.fail { background: #b0281e; } .verdict.inconclusive { background: #7d5200; }
td.pass { color: light-dark(#176b41, #74d3a4); } td.fail { color: light-dark(#b0281e, #ff9f95); } td.inconclusive { color: light-dark(#7d5200, #f0c468); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid light-dark(#e1e4e9, #2d323b); text-align: right; }
th:first-child, td:first-child, .text { text-align: left; } th:first-child, td:first-child { padding-left: 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-weight: 600; }
svg { width: 100%; height: auto; font-size: 12px; }
svg text { fill: light-dark(#5b6370, #9aa4b2); }
.grid { stroke: light-dark(#e1e4e9, #2d323b); }
polyline { fill: none; stroke-width: 2; }
polyline.candidate { stroke: light-dark(#2b59c3, #8fb0ff); } circle.candidate { fill: light-dark(#2b59c3, #8fb0ff); }
polyline.reference { stroke: light-dark(#8a919c, #737b88); stroke-dasharray: 5 3; }
line.limit { stroke: light-dark(#b0281e, #ff9f95); stroke-dasharray: 6 4; } svg text.limit { fill: light-dark(#b0281e, #ff9f95); }
.bar { fill: light-dark(#2b59c3, #8fb0ff); }
code { font-size: .85em; overflow-wrap: anywhere; }
`;

interface Cell {
  text: string;
  className?: string;
}

/** A report as one page that needs nothing else: no script, no request. Whatever names it holds are only text in it. */
export function gateHtml(report: GateReport): string {
  const { deployment, candidate, verdict, run, set, criteria, requirements, notes, digests } = report;
  const title = `${verdict}: ${deployment} / ${candidate}`;
  const body = `<h1><span class="verdict ${verdict}">${verdict}</span> <bdi>${escaped(deployment)}</bdi> / <bdi>${escaped(candidate)}</bdi></h1>
<p>${escaped(report.summary)}</p>
<p class="quiet">Run ${run.id} (${run.kind}), model <bdi>${escaped(report.model.name)}</bdi>, policy version ${report.policyVersion} · captured ${momentText(set.firstAt ?? set.from)} to ${momentText(set.watermark)} · α ${percentText(report.criteriaGiven.alpha)} over all limits · by <bdi>${escaped(report.author)}</bdi></p>
<h2>Limits</h2>
${table(
  ["limit", "at most", "observed", "bounds", "counted", "verdict", ""],
  criteria.map((criterion) => [
    { text: criterionTitles[criterion.name] },
    { text: percentText(criterion.limit) },
    { text: percentText(criterion.observed) },
    { text: boundsText(criterion) },
    { text: observedText(criterion) },
    { text: criterion.verdict, className: criterion.verdict },
    { text: outlookText(criterion), className: "text" },
  ]),
)}
${table(
  ["requirement", "found", "", ""],
  requirements.map((requirement) => [
    { text: requirementTitles[requirement.name] },
    { text: requirementText(requirement) },
    { text: requirement.met ? "met" : "not met", className: requirement.met ? "pass" : "inconclusive" },
    { text: requirement.reason ?? "", className: "text" },
  ]),
)}
${notes.length === 0 ? "" : `<ul>${notes.map((note) => `<li>${escaped(note)}</li>`).join("")}</ul>`}
<h2>Over time, and latency</h2>
<div class="plots">${figure("Diff rate", diffRatePlot(report))}${figure(latencyTitle(report), latencyPlot(report))}</div>
${latencyTable(report)}
<h2>Outputs</h2>
${table(
  ["output", "compared", "mismatches", "largest error"],
  report.outputs.map((output) => [
    { text: output.name },
    { text: countText(output.compared) },
    { text: countText(output.mismatches) },
    { text: floatText(output.maxAbs) },
  ]),
)}
<div class="plots">${report.outputs.map((output) => figure(`Errors of ${output.name}, by decade`, errorPlot(output))).join("")}</div>
<h2>Worst examples</h2>
${table(
  ["comparison", "captured", "what", "outputs", "largest error", "decision"],
  report.worst.map((example) => [
    { text: example.id },
    { text: momentText(example.capturedAt) },
    { text: example.what.replaceAll("_", " ") },
    { text: example.outputs.join(", ") },
    { text: floatText(example.maxAbs) },
    { text: example.flip === true ? "changed" : "" },
  ]),
)}
<h2>The account of what was judged</h2>
${account(report)}
<h2>Evidence</h2>
${table(
  ["digest of", "SHA-256"],
  Object.entries(digests).map(([name, digest]) => [
    { text: name },
    { text: digest ?? "–", className: "text" },
  ]),
)}
`;
  return htmlPage({ title, style, body });
}

function account({ counts, coverage, set }: GateReport): string {
  const rows: [string, number | null][] = [
    ["captured", counts.captured],
    ["match", counts.matches],
    ["mismatch", counts.mismatches],
    ["ignored", counts.ignored],
    ["incomparable", counts.incomparable],
    ["candidate errors", sum(counts.candidateError)],
    ["not replayed", sum(counts.notReplayed)],
    ["expired", counts.expired],
    ["dead", counts.dead],
    ["erased", counts.erased],
    ["behind the watermark, not judged", set.pending],
  ];
  const cells = rows.map(([name, n]) => [{ text: name }, { text: countText(n) }]);
  return table(["", "requests"], [...cells, [{ text: "coverage" }, { text: percentText(coverage) }]]);
}

function latencyTitle({ latency }: GateReport): string {
  return latency === null ? "Latency" : `Latency by quantile (dashed: ${latency.reference})`;
}

function latencyTable({ latency }: GateReport): string {
  if (latency === null) return "";
  const shown = latency.quantiles.filter(({ q }) => [0.5, 0.9, 0.95, 0.99].includes(q));
  return table(
    ["latency", ...shown.map(({ q }) => `p${floatText(q * 100)}`)],
    (["candidate", "reference"] as const).map((side) => [
      { text: side === "candidate" ? "candidate" : latency.reference },
      ...shown.map((entry) => ({ text: msText(entry[side]) })),
    ]),
  );
}

function figure(caption: string, plot: string | null): string {
  const content = plot ?? `<p class="quiet">Nothing was measured.</p>`;
  return `<figure><figcaption>${escaped(caption)}</figcaption>${content}</figure>`;
}

function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  if (rows.length === 0) return `<p class="quiet">None.</p>`;
  const head = headings.map((heading) => `<th scope="col">${escaped(heading)}</th>`).join("");
  const body = rows.map((cells) => {
    const columns = cells.map(
      // Isolated, so that a name written from right to left does not turn its row around.
      ({ text, className = "" }) => `<td class="${className}"><bdi>${escaped(text)}</bdi></td>`,
    );
    return `<tr>${columns.join("")}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
}
