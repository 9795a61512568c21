import { canonicalJson, digestOf } from "./evidence.js";
import { judgeGate } from "./judge.js";
import type { GateReport } from "./report.js";

/**
 * What is wrong with a report as evidence, by itself: another digest than it was given, or a verdict that its own
 * counts do not bear out. Latency is judged from pairs, which the report does not hold: its verdict is taken as it is.
 * Empty: nothing.
 */
export function faultsOf(report: GateReport, sha256: string | null): string[] {
  const faults: string[] = [];
  if (digestOf(report) !== sha256) faults.push("its digest is not that of its report: it was changed");
  const again = judgeGate(report.criteriaGiven, {
    counts: report.counts,
    waiting: report.set.waiting,
    remaining: report.selection === null ? Number.POSITIVE_INFINITY : report.set.pending,
    balanced: report.ledger.balanced === true,
    latency: null,
    latencyVoid: null,
  });
  const judged = new Map(report.criteria.map(({ name, verdict }) => [name, verdict]));
  for (const { name, verdict } of again.criteria) {
    if (name !== "p99Regression" && judged.get(name) !== verdict) {
      faults.push(`its counts make ${name} ${verdict}, not ${judged.get(name) ?? "unjudged"}`);
    }
  }
  const fails = report.criteria.some(({ verdict }) => verdict === "fail");
  const open =
    report.criteria.length === 0 ||
    report.criteria.some(({ verdict }) => verdict === "inconclusive") ||
    again.requirements.some(({ met }) => !met);
  const whole = fails ? "fail" : open ? "inconclusive" : "pass";
  if (whole !== report.verdict) faults.push(`its parts make ${whole}, not ${report.verdict}`);
  return faults;
}

/** What of a gate is said beside its report too. */
export interface Envelope {
  deployment: string;
  candidate: string;
  run: number;
  runKind: string;
  author: string;
  state: string;
  verdict: string | null;
  selection: { name: string; members: number; read: number } | null;
}

/** What a file says around a report otherwise than the report, whose digest does not cover that. */
export function envelopeFaults(envelope: Envelope, report: GateReport): string[] {
  const { deployment, candidate, author, verdict, run, selection } = report;
  const inside: Record<keyof Envelope, unknown> = {
    deployment,
    candidate,
    run: run.id,
    runKind: run.kind,
    author,
    state: "done",
    verdict,
    selection: selection && { name: selection.name, members: selection.members, read: selection.read },
  };
  return (Object.keys(inside) as (keyof Envelope)[]).flatMap((name) => {
    const [said, is] = [canonicalJson(envelope[name]), canonicalJson(inside[name])];
    return said === is ? [] : [`it says ${name} ${said} around a report of ${is}`];
  });
}
