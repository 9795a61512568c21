import { momentText, msText, percentText } from "./numbers.js";
import type { GateReport, JudgedCriterion } from "./report.js";
import {
  boundsText,
  criterionTitles,
  observedText,
  outlookText,
  requirementText,
  requirementTitles,
} from "./words.js";

/** A report for the terminal, without its last line break. */
export function gateText(report: GateReport): string {
  const { deployment, candidate, run, set, verdict, criteria, requirements, notes } = report;
  const widths = [20, 10, 12, 24, 20];
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join(" ")
      .trimEnd();
  return [
    `${verdict.toUpperCase()}  ${deployment}/${candidate}, run ${run.id} (${run.kind}), policy version ${report.policyVersion}`,
    report.summary,
    `judged: ${momentText(set.firstAt ?? set.from)} to ${momentText(set.watermark)}, α ${percentText(report.criteriaGiven.alpha)}`,
    "",
    ...(criteria.length === 0
      ? []
      : [line(["criterion", "limit", "observed", "bounds", "counted", "verdict"]), ...criteria.map(row), ""]),
    ...requirements.map((requirement) => {
      const { name, met, reason } = requirement;
      return `${requirementTitles[name]}: ${requirementText(requirement)}${met ? "" : ` - ${reason}`}`;
    }),
    ...latencyLines(report),
    ...notes.map((note) => `note: ${note}`),
  ].join("\n");

  function row(criterion: JudgedCriterion): string {
    const outlook = outlookText(criterion);
    return (
      line([
        criterionTitles[criterion.name],
        percentText(criterion.limit),
        percentText(criterion.observed),
        boundsText(criterion),
        observedText(criterion),
        criterion.verdict,
      ]) + (outlook === "" ? "" : `\n  ${outlook}`)
    );
  }
}

function latencyLines({ latency }: GateReport): string[] {
  if (latency === null) return [];
  const at = (q: number) => latency.quantiles.find((entry) => entry.q === q);
  const shown = ([0.5, 0.99] as const).map((q) => {
    const { candidate = null, reference = null } = at(q) ?? {};
    return `p${q * 100} ${msText(candidate)} (${latency.reference} ${msText(reference)})`;
  });
  return [`latency: ${shown.join(", ")}, of ${latency.pairs.toLocaleString("en-US")} pairs`];
}
