import type { Judged, Run } from "../control/api.js";
import { table } from "./table.js";

/** Before and after, for people. */
export function beforeAfterText(run: Run, rejudge: NonNullable<Run["rejudge"]>): string {
  const { pairs, stored, storedShare, before, after, changes } = rejudge;
  const n = (value: number) => value.toLocaleString("en-US");
  const lines = [
    `run ${run.id}: ${run.deployment}/${run.candidate}, pairs of run ${run.sourceRun} under policy version ${run.policyVersion}`,
    `${n(stored)} of ${n(pairs)} pairs were still stored (${percent(storedShare)})` +
      (stored < pairs ? "; all below is about these only" : ""),
    ...(run.works.dead > 0 ? [`${n(run.works.dead)} segments could not be judged again`] : []),
    "",
    table(
      ["", "before", "after"],
      rows.map(([name, value]) => [name, value(before), value(after)]),
    ),
    "",
    table(["output", "compared", "mismatches before", "after"], outputRows(before, after)),
  ];
  if (changes.length > 0) {
    lines.push("", ...changes.map(({ from, to, pairs }) => `${from} → ${to}: ${n(pairs)}`));
  }
  return `${lines.join("\n")}\n`;
}

const rows: [string, (judged: Judged) => string | number][] = [
  ["samples", (judged) => judged.samples],
  ["mismatches", (judged) => judged.mismatches],
  ["diff rate", (judged) => percent(judged.diffRate)],
  ["95 % interval", (judged) => judged.diffRateInterval.map(percent).join(" … ")],
  ["decision flips", (judged) => judged.flips],
  ["flip rate", (judged) => percent(judged.decisionFlipRate)],
  ["ignored", (judged) => judged.ignored],
  ["error rate", (judged) => percent(judged.errorRate)],
];

function outputRows(before: Judged, after: Judged): (string | number)[][] {
  const earlier = new Map(before.outputs.map((output) => [output.name, output]));
  return after.outputs.map(({ name, compared, mismatches }) => [
    name,
    compared,
    earlier.get(name)?.mismatches ?? 0,
    mismatches,
  ]);
}

function percent(rate: number | null): string {
  return rate === null ? "–" : `${(rate * 100).toFixed(2)} %`;
}
