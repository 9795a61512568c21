import type { Sample } from "../capture/capture.js";
import { bucketOf } from "../stats/sketch.js";
import type { Comparison, OutputComparison } from "./types.js";

const changeCharactersMax = 64;

/** How one capture can end in one run. */
export const dispositions = [
  "compared",
  "candidate_error",
  "not_replayed",
  "expired",
  "dead",
  "erased",
] as const;
export type Disposition = (typeof dispositions)[number];

/**
 * One thing to be counted in the rollups: a label of a series, and, for series that keep a maximum, the value.
 * Facts are added up by (series, label), and the largest value of a series is kept.
 */
export interface Fact {
  series: string;
  label: string;
  value?: number;
}

/** What else is known of the outcome. Latencies in milliseconds; null where nothing was sent, or nothing came back. */
export interface OutcomeContext {
  sample: Sample;
  disposition: Disposition;
  /** The failure kind of a `candidate_error`, the reason of a `not_replayed`. */
  reason: string | null;
  primaryMs: number | null;
  candidateMs: number | null;
  controlMs: number | null;
}

/**
 * The facts of one outcome. `dispositions` counts every sample, so that it balances with the ledger; all else
 * counts the base sample only, since rates from targeted captures would be biased.
 *
 * @param comparison null when nothing was replayed
 */
export function factsOf(comparison: Comparison | null, context: OutcomeContext): Fact[] {
  const { sample, disposition, reason } = context;
  const detailed = disposition === "candidate_error" || disposition === "not_replayed";
  const facts: Fact[] = [
    { series: "dispositions", label: detailed && reason !== null ? `${disposition}:${reason}` : disposition },
  ];
  if (sample !== "base" || comparison === null) return facts;
  if (disposition === "candidate_error") {
    facts.push({ series: "results", label: "candidate_error" });
    return facts;
  }
  facts.push({ series: "results", label: comparison.result });
  if (comparison.flip !== null) {
    facts.push({ series: "decisions", label: comparison.flip ? "flip" : "same" });
  }
  if (comparison.signature !== null) facts.push({ series: "signatures", label: comparison.signature });
  for (const output of comparison.outputs) facts.push(...outputFacts(output));
  if (comparison.result !== "incomparable") facts.push(...latencyFacts(context));
  return facts;
}

function outputFacts(comparison: OutputComparison): Fact[] {
  const { output, result, kind, maxAbs, maxRel } = comparison;
  const facts: Fact[] = [{ series: `output/${output}`, label: result }];
  if (kind !== null) facts.push({ series: `output/${output}`, label: `kind:${kind}` });
  if (maxAbs !== null) facts.push({ series: `abs/${output}`, label: bucketOf(maxAbs), value: maxAbs });
  if (maxRel !== null) facts.push({ series: `rel/${output}`, label: "n", value: maxRel });
  facts.push(...confusionFacts(comparison));
  return facts;
}

/**
 * What turned into what, as `from→to`: one for each kind of change, so that comparisons are counted, not the rows of a
 * batch; 16 at most. Of outputs that are ignored none, as in `decisions`.
 */
function confusionFacts({ output, result, decision }: OutputComparison): Fact[] {
  if (result === "ignored") return [];
  const labels = (decision?.changes ?? []).map(({ from, to }) => changeLabel(from, to));
  return [...new Set(labels)].map((label) => ({ series: `confusion/${output}`, label }));
}

/** One arrow, 64 characters at most: texts of a model, such as names of classes, must not make labels without bound. */
function changeLabel(from: string, to: string): string {
  const [before, after] = [from, to].map((side) => side.replaceAll("→", ">")) as [string, string];
  const whole = `${before}→${after}`;
  return whole.length <= changeCharactersMax ? whole : `${shortened(before)}→${shortened(after)}`;
}

function shortened(side: string): string {
  const most = Math.floor((changeCharactersMax - 1) / 2);
  return side.length <= most ? side : `${side.slice(0, most - 1)}…`;
}

/** Only of pairs in which both answered: the latency of a refused connection would flatter, of a timeout hide its cap. */
function latencyFacts({ primaryMs, candidateMs, controlMs }: OutcomeContext): Fact[] {
  return [
    ["latency/primary", primaryMs] as const,
    ["latency/candidate", candidateMs] as const,
    ["latency/control", controlMs] as const,
  ].flatMap(([series, ms]) => (ms === null ? [] : [{ series, label: bucketOf(Math.max(0, ms)), value: ms }]));
}
