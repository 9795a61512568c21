import type { OutputPolicy } from "../compare/policy.js";
import type { Comparison, OutputComparison } from "../compare/types.js";

/** What one output came to, as `--json` prints it. */
export type ReportedOutput = { name: string } & Omit<OutputComparison, "output">;

/** What comparing two files came to, as `--json` prints it. */
export interface Report extends Pick<Comparison, "result" | "flip" | "parameters"> {
  /** Path of the primary's file. */
  left: string;
  /** Path of the candidate's file. */
  right: string;
  /** How every output was judged; null: a policy said it, each for itself. */
  rule: OutputPolicy["rule"] | null;
  /** 0 under `exact`. */
  rtol: number | null;
  atol: number | null;
  outputs: ReportedOutput[];
}

/** @param judgedBy the one rule for all outputs; null where a policy file gave the rules */
export function reportOf(
  comparison: Comparison,
  files: { left: string; right: string },
  judgedBy: OutputPolicy | null,
): Report {
  const { result, flip, outputs, parameters } = comparison;
  return {
    result,
    left: files.left,
    right: files.right,
    rule: judgedBy?.rule ?? null,
    ...tolerances(judgedBy),
    flip,
    outputs: outputs.map(({ output, ...rest }) => ({ name: output, ...rest })),
    parameters,
  };
}

function tolerances(judgedBy: OutputPolicy | null): Pick<Report, "rtol" | "atol"> {
  if (judgedBy === null) return { rtol: null, atol: null };
  return "rtol" in judgedBy ? { rtol: judgedBy.rtol, atol: judgedBy.atol } : { rtol: 0, atol: 0 };
}
