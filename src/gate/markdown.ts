import { momentText, msText, percentText } from "./numbers.js";
import type { GateReport } from "./report.js";
import {
  boundsText,
  criterionTitles,
  observedText,
  outlookText,
  requirementText,
  requirementTitles,
} from "./words.js";

const marks = { pass: "✅", fail: "❌", inconclusive: "⚠️" } as const;
/** Step summaries hold 1 MiB; a report is far below, whatever its names are. */
const charactersMax = 60_000;

/** A report as Markdown, for a step summary or a comment. */
export function gateMarkdown(report: GateReport): string {
  const { deployment, candidate, verdict, criteria, requirements, latency, notes, set, run } = report;
  const lines = [
    `## ${marks[verdict]} ${verdict}: ${plain(deployment)} / ${plain(candidate)}`,
    "",
    plain(report.summary),
    "",
    "| criterion | limit | observed | bounds | counted | verdict |",
    "|---|--:|--:|--:|--:|---|",
    ...criteria.map((criterion) => {
      const outlook = outlookText(criterion);
      return row([
        criterionTitles[criterion.name],
        percentText(criterion.limit),
        percentText(criterion.observed),
        boundsText(criterion),
        observedText(criterion),
        `${marks[criterion.verdict]} ${criterion.verdict}${outlook === "" ? "" : `: ${outlook}`}`,
      ]);
    }),
    ...requirements.map((requirement) =>
      row([
        requirementTitles[requirement.name],
        "",
        requirementText(requirement),
        "",
        "",
        requirement.met ? "met" : `⚠️ ${requirement.reason}`,
      ]),
    ),
    "",
    ...(latency === null
      ? []
      : [`Latency, ${latency.pairs.toLocaleString("en-US")} pairs: ${latencyText(latency)}.`, ""]),
    ...notes.map((note) => `- ${plain(note)}`),
    "",
    `Run ${run.id} (${run.kind}), policy version ${report.policyVersion}, ${momentText(set.firstAt ?? set.from)} to ` +
      `${momentText(set.watermark)}, α ${percentText(report.criteriaGiven.alpha)}.`,
  ];
  return `${lines.join("\n").slice(0, charactersMax)}\n`;
}

function latencyText({ reference, quantiles }: NonNullable<GateReport["latency"]>): string {
  return quantiles
    .filter(({ q }) => q === 0.5 || q === 0.95 || q === 0.99)
    .map((at) => `p${at.q * 100} ${msText(at.candidate)} (${reference} ${msText(at.reference)})`)
    .join(", ");
}

const row = (cells: readonly string[]) => `| ${cells.map(plain).join(" | ")} |`;

/** Names and reasons as text: no markup, no table cell of their own, no mention of anybody. */
function plain(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/[\\`*_{}[\]()#|~]/g, "\\$&")
    .replace(/[<>&]/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/@/g, "&#64;");
}
