import type { CriterionName } from "./criteria.js";
import type { GateJudgement } from "./judge.js";
import { countText, percentText } from "./numbers.js";
import type { JudgedCriterion, JudgedRequirement } from "./report.js";

/** The words of a report, the same in each of its forms. */

export const criterionTitles: Readonly<Record<CriterionName, string>> = {
  diffRate: "diff rate",
  flipRate: "decision flip rate",
  errorRate: "error rate",
  p99Regression: "p99 regression",
};

export const requirementTitles: Readonly<Record<JudgedRequirement["name"], string>> = {
  minSamples: "samples",
  minCoverage: "coverage",
  balancedLedger: "ledger",
};

/** `12 of 1,500` or `270 pairs`. */
export function observedText({ trials, events }: JudgedCriterion): string {
  return events === null ? `${countText(trials)} pairs` : `${countText(events)} of ${countText(trials)}`;
}

export function boundsText({ bounds: [low, high] }: JudgedCriterion): string {
  return `${percentText(low)} … ${percentText(high)}`;
}

/** What is still to be done for a verdict, or why there is none. Empty: nothing. */
export function outlookText({ verdict, needed, reason, events }: JudgedCriterion): string {
  if (reason !== null) return reason;
  if (verdict !== "inconclusive") return "";
  if (needed !== null)
    return `some ${countText(needed.more)} more requests for a ${needed.verdict} at this rate`;
  return events === null
    ? "the pairs do not tell yet; more are needed, or the two are too near the limit"
    : "too near the limit for a verdict: at this rate no number of requests is enough";
}

export function requirementText({ name, wanted, found, met }: JudgedRequirement): string {
  switch (name) {
    case "minSamples":
      return `${countText(found)}, wanted ${countText(wanted)}`;
    case "minCoverage":
      return `${percentText(found)}, wanted ${percentText(wanted)}`;
    case "balancedLedger":
      return met ? "balanced" : "not balanced";
  }
}

/** The verdict in one sentence. */
export function summaryText(candidate: string, judgement: GateJudgement): string {
  const { verdict, criteria, requirements } = judgement;
  switch (verdict) {
    case "pass":
      return `${candidate} keeps ${criteria.map(limitText).join(", ")}.`;
    case "fail": {
      const broken = criteria.filter((criterion) => criterion.verdict === "fail");
      return `${candidate} breaks ${broken.map((criterion) => `${limitText(criterion)} (it is ${percentText(criterion.observed)})`).join(", ")}.`;
    }
    case "inconclusive": {
      const open = criteria.filter((criterion) => criterion.verdict === "inconclusive");
      const reasons = [
        ...(criteria.length === 0 ? ["no limit was given"] : []),
        ...requirements.flatMap(({ reason }) => (reason === null ? [] : [reason])),
        ...open.map((criterion) => `${limitText(criterion)}: ${outlookText(criterion)}`),
      ];
      return `Nothing can be said of ${candidate}: ${reasons.join("; ")}.`;
    }
  }
}

function limitText({ name, limit }: JudgedCriterion): string {
  return `${criterionTitles[name]} ≤ ${percentText(limit)}`;
}
