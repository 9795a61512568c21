import { escaped } from "../markup.js";
import { percentText } from "./numbers.js";
import type { GateReport } from "./report.js";
import {
  boundsText,
  criterionTitles,
  observedText,
  outlookText,
  requirementText,
  requirementTitles,
} from "./words.js";

interface Case {
  name: string;
  outcome: "passed" | "failure" | "error";
  text: string;
}

/**
 * A report as JUnit XML: one test case for each limit and each requirement. What is inconclusive is an `error`: CI
 * systems show it as not passed, and apart from failures.
 */
export function gateJunit(report: GateReport): string {
  const { deployment, candidate, summary, verdict, set } = report;
  const cases = casesOf(report);
  const count = (outcome: Case["outcome"]) => cases.filter((each) => each.outcome === outcome).length;
  const totals = `tests="${cases.length}" failures="${count("failure")}" errors="${count("error")}" skipped="0"`;
  const suite = escaped(`understudy gate ${deployment}`);
  const classname = escaped(`${deployment}.${candidate}`);
  const lines = cases.map(({ name, outcome, text }) => {
    const head = `    <testcase name="${escaped(name)}" classname="${classname}" time="0"`;
    if (outcome === "passed") return `${head}><system-out>${escaped(text)}</system-out></testcase>`;
    return `${head}><${outcome} message="${escaped(text)}" type="${outcome === "failure" ? "limit" : "inconclusive"}"/></testcase>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="understudy" ${totals}>
  <testsuite name="${suite}" ${totals} time="0" timestamp="${new Date(set.frozenAt).toISOString().slice(0, 19)}">
    <properties>
      <property name="verdict" value="${verdict}"/>
      <property name="summary" value="${escaped(summary)}"/>
    </properties>
${lines.join("\n")}
  </testsuite>
</testsuites>
`;
}

function casesOf(report: GateReport): Case[] {
  const criteria = report.criteria.map((criterion): Case => {
    const { name, limit, verdict, observed } = criterion;
    const found = `${percentText(observed)} (${boundsText(criterion)}), ${observedText(criterion)}`;
    const outlook = outlookText(criterion);
    return {
      name: `${criterionTitles[name]} ≤ ${percentText(limit)}`,
      outcome: verdict === "pass" ? "passed" : verdict === "fail" ? "failure" : "error",
      text: outlook === "" ? found : `${found}; ${outlook}`,
    };
  });
  const requirements = report.requirements.map((requirement): Case => {
    const { name, met, reason } = requirement;
    return {
      name: requirementTitles[name],
      outcome: met ? "passed" : "error",
      text: reason === null ? requirementText(requirement) : `${requirementText(requirement)}: ${reason}`,
    };
  });
  const none: Case = { name: "limits", outcome: "error", text: "no limit was given" };
  return [...(criteria.length === 0 ? [none] : criteria), ...requirements];
}
