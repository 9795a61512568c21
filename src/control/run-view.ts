import { beforePrefix, changesSeries } from "../replay/before-after.js";
import type { RunProgress } from "../store/rejudges.js";
import type { SeriesCounts, Run as StoredRun } from "../store/types.js";
import type { Judged, Run } from "./api.js";
import { summaryOf } from "./summary.js";

type Series = ReadonlyMap<string, SeriesCounts>;

/** @param series of the run, over all time */
export function runView(run: StoredRun, progress: RunProgress, series: Series): Run {
  const { deployment, candidate, policy, sourcePolicy, works, captures, answers } = progress;
  return {
    id: run.id,
    kind: run.kind,
    deployment,
    candidate,
    policyVersion: run.policyVersion,
    sourceRun: run.sourceRunId,
    state: run.state,
    openedAt: run.openedAtMs,
    closedAt: run.closedAtMs,
    policy,
    works,
    captures,
    answers,
    rejudge: sourcePolicy && { sourcePolicy, ...rejudgeView(run.id, series) },
  };
}

function rejudgeView(runId: number, series: Series): Omit<NonNullable<Run["rejudge"]>, "sourcePolicy"> {
  const dispositions = [...(series.get("dispositions")?.counts ?? [])];
  const sum = (counts: readonly [string, number][]) => counts.reduce((total, [, n]) => total + n, 0);
  const pairs = sum(dispositions);
  const stored = sum(dispositions.filter(([label]) => /^(compared|candidate_error)(:|$)/.test(label)));
  const earlier = [...series].flatMap(([name, counts]) =>
    name.startsWith(beforePrefix) ? [[name.slice(beforePrefix.length), counts] as const] : [],
  );
  return {
    pairs,
    stored,
    storedShare: pairs === 0 ? null : stored / pairs,
    before: judgedOf(runId, new Map(earlier)),
    after: judgedOf(runId, series),
    changes: changesOf(series.get(changesSeries)),
  };
}

function judgedOf(runId: number, series: Series): Judged {
  const { samples, mismatches, ignored, incomparable, outputs, ...rates } = summaryOf(runId, series);
  const { diffRate, diffRateInterval, decisionFlipRate, errorRate } = rates;
  return {
    samples,
    mismatches,
    ignored,
    incomparable,
    diffRate,
    diffRateInterval,
    decisionFlipRate,
    errorRate,
    flips: series.get("decisions")?.counts.get("flip") ?? 0,
    outputs: outputs.map(({ name, compared, mismatches, kinds }) => ({ name, compared, mismatches, kinds })),
  };
}

/** The most frequent first; what stayed as it was is left out. */
function changesOf(changes: SeriesCounts | undefined): NonNullable<Run["rejudge"]>["changes"] {
  return [...(changes?.counts ?? [])]
    .map(([label, pairs]) => {
      const [from = "", to = ""] = label.split(">");
      return { from, to, pairs };
    })
    .filter(({ from, to }) => from !== to)
    .sort((a, b) => b.pairs - a.pairs || (a.from + a.to < b.from + b.to ? -1 : 1));
}
