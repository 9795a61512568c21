import { wilson } from "../stats/wilson.js";
import type { SelectionResult } from "../store/selection-comparison.js";
import type { Selection } from "../store/selections.js";
import type { SelectionComparison } from "./api.js";

/** @param outdated candidates that have only results of another revision or policy */
export function selectionComparisonView(
  { deployment, name, captures, erased }: Selection,
  results: readonly SelectionResult[],
  outdated: readonly string[],
): SelectionComparison {
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
    outdated: [...outdated],
  };
}

const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);
