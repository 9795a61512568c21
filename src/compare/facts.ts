import type { Sample } from "../capture/capture.js";
import { remembered } from "../remembered.js";
import { bucketOf } from "../stats/sketch.js";
import type { Comparison, DecisionChange, OutputComparison } from "./types.js";

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
 * One thing to be counted in the rollups: a label of a counter or a bucket of a sketch, and, for series that keep a
 * maximum, the value. Facts are added up by (series, label or bucket), and the largest value of a series is kept. A series
 * is one or the other for good: what a name once stood for is in the rollups.
 */
export type Fact = { series: string; value?: number } & ({ label: string } | { bucket: number });

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
  for (const output of comparison.outputs) addOutputFacts(facts, output);
  if (comparison.result !== "incomparable") addLatencyFacts(facts, context);
  return facts;
}

function addOutputFacts(facts: Fact[], comparison: OutputComparison): void {
  const { output, result, kind, maxAbs, maxRel, decision } = comparison;
  const series = seriesOf(output);
  facts.push({ series: series.output, label: result });
  if (kind !== null) facts.push({ series: series.output, label: `kind:${kind}` });
  if (maxAbs !== null) facts.push({ series: series.abs, bucket: bucketOf(maxAbs), value: maxAbs });
  if (maxRel !== null) facts.push({ series: series.rel, label: "n", value: maxRel });
  if (decision?.changes !== undefined && result !== "ignored")
    addConfusionFacts(facts, output, decision.changes);
}

/** A model has the same outputs in every answer: its series' names are not to be put together, and hashed, anew. */
const seriesOf = remembered((output) => ({
  output: `output/${output}`,
  abs: `abs/${output}`,
  rel: `rel/${output}`,
}));

/**
 * What turned into what, as `from→to`: one for each kind of change, so that comparisons are counted, not the rows of a
 * batch; 16 at most. Of outputs that are ignored none, as in `decisions`.
 */
function addConfusionFacts(facts: Fact[], output: string, changes: readonly DecisionChange[]): void {
  const labels = new Set(changes.map(({ from, to }) => changeLabel(from, to)));
  for (const label of labels) facts.push({ series: `confusion/${output}`, label });
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
function addLatencyFacts(facts: Fact[], { primaryMs, candidateMs, controlMs }: OutcomeContext): void {
  addLatency(facts, "latency/primary", primaryMs);
  addLatency(facts, "latency/candidate", candidateMs);
  addLatency(facts, "latency/control", controlMs);
}

function addLatency(facts: Fact[], series: string, ms: number | null): void {
  if (ms !== null) facts.push({ series, bucket: bucketOf(Math.max(0, ms)), value: ms });
}
