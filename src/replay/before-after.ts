import type { Fact } from "../compare/facts.js";
import type { EarlierOutcome, OutcomeRow } from "../store/types.js";

/** Series of a rejudge that tell what its source run had said of the very pairs that were judged again. */
export const beforePrefix = "before/";
/** Series of a rejudge: labels `BEFORE>AFTER`. */
export const changesSeries = "changes";

/**
 * The facts by which a rejudge's summary can be set beside the run it came from: the earlier outcome, as `factsOf`
 * counted it, under {@link beforePrefix}; and what became of it. Of the base sample only, like every rate.
 */
export function beforeAfterFacts(before: EarlierOutcome, after: OutcomeRow): Fact[] {
  if (after.sample !== "base") return [];
  const [was, is] = [before, after].map(wordOf) as [string, string];
  const facts: Fact[] = [
    { series: `${beforePrefix}results`, label: was },
    { series: changesSeries, label: `${was}>${is}` },
  ];
  if (before.disposition !== "compared") return facts;
  if (before.flip !== null) {
    facts.push({ series: `${beforePrefix}decisions`, label: before.flip ? "flip" : "same" });
  }
  for (const { output, result, kind } of outputsBefore(before, after)) {
    facts.push({ series: `${beforePrefix}output/${output}`, label: result });
    if (kind !== null) facts.push({ series: `${beforePrefix}output/${output}`, label: `kind:${kind}` });
  }
  return facts;
}

/** Of a match the outputs may not have been kept: then each of them matched. */
function outputsBefore(before: EarlierOutcome, after: OutcomeRow): EarlierOutcome["outputs"] {
  if (before.result !== "match" || before.outputs.length > 0) return before.outputs;
  return after.outputs.map(({ output }) => ({ output, result: "match", kind: null }));
}

const wordOf = ({ disposition, result }: Pick<OutcomeRow, "disposition" | "result">) =>
  disposition === "compared" && result !== null ? result : disposition;
