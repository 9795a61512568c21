import { wilson } from "../stats/wilson.js";
import type { SelectionResult } from "../store/selection-comparison.js";
import type { Selection } from "../store/selections.js";
import type { SelectionComparison } from "./api.js";

/** @param replayedTo all candidates with results of the selection, compared or not */
export function selectionComparisonView(
  { deployment, name, captures, erased }: Selection,
  results: readonly SelectionResult[],
  replayedTo: readonly { name: string; current: boolean }[],
): SelectionComparison {
  const compared = new Set(results.map(({ candidate }) => candidate));
  return {
    deployment,
    selection: name,
    members: captures,
    erased,
    common: results[0]?.common.requests ?? 0,
    candidates: results.map(({ candidate, runId, finished, answered, failed, common }) => {
      const { matches, mismatches, decided, flips, p50Ms, p99Ms } = common;
      const samples = matches + mismatches;
      return {
        candidate,
        run: runId,
        finished,
        answered,
        failed,
        samples,
        mismatches,
        diffRate: share(mismatches, samples),
        diffRateInterval: wilson(mismatches, samples),
        decisionFlipRate: share(flips, decided),
        p50Ms,
        p99Ms,
      };
    }),
    outdated: replayedTo.filter(({ current }) => !current).map(({ name }) => name),
    beyond: replayedTo.filter(({ name, current }) => current && !compared.has(name)).map(({ name }) => name),
  };
}

const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);
