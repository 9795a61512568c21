import type { ComparisonDetail, OutputDetail } from "../../../../src/control/api.js";
import { count, float, shape, words } from "../../format";
import { Code, Name } from "../../parts/words";
import { differenceMeanings, failureMeanings, incomparableMeanings } from "../../vocabulary";

const reasons: Record<string, string> = {
  ...differenceMeanings,
  ...failureMeanings,
  ...incomparableMeanings,
};

/** What happened, in one sentence. */
export function Sentence({ comparison }: { comparison: ComparisonDetail }) {
  const { disposition, result, kind, reason, outputs } = comparison;
  if (disposition === "candidate_error") return <>The candidate did not answer: {meaning(reason ?? kind)}.</>;
  if (disposition === "erased") return <>This request was erased: nothing of it is kept.</>;
  if (disposition !== "compared") return <>Not compared: {meaning(reason ?? disposition)}.</>;
  switch (result) {
    case "match":
      return <>The candidate answered as the primary did, within the policy.</>;
    case "ignored":
      return <>The answers differ only where the policy ignores it.</>;
    case "mismatch":
      return <Mismatch kind={kind} outputs={outputs} />;
    default:
      return <>There were not two answers to compare: {meaning(kind)}.</>;
  }
}

function Mismatch({ kind, outputs }: { kind: string | null; outputs: readonly OutputDetail[] }) {
  const changed = outputs.find(({ decision, result }) => decision?.flip && result !== "ignored");
  if (changed) {
    const { from, to } = changed.decision!;
    return (
      <>
        The candidate decided otherwise: <Code>{changed.name}</Code> says{" "}
        <strong>
          <Name>{to}</Name>
        </strong>{" "}
        where the primary says{" "}
        <strong>
          <Name>{from}</Name>
        </strong>
        .
      </>
    );
  }
  const lead = outputs.find((output) => output.result === "mismatch" && output.kind === kind);
  if (!lead) return <>The answers differ: {meaning(kind)}.</>;
  return (
    <>
      <Difference output={lead} />
      {lead.decision && (
        <>
          ; the decision stays <Name>{lead.decision.from}</Name>
        </>
      )}
      .
    </>
  );
}

function Difference({ output }: { output: OutputDetail }) {
  const name = <Code>{output.name}</Code>;
  switch (output.kind) {
    case "missing_output":
      return <>The candidate's answer lacks the output {name}</>;
    case "extra_output":
      return <>The candidate's answer has an output that the primary's lacks: {name}</>;
    case "dtype":
      return (
        <>
          The output {name} is {output.candidateDatatype} where the primary's is {output.datatype}
        </>
      );
    case "shape":
      return (
        <>
          The output {name} has the shape {shape(output.candidateShape ?? [])} where the primary's has{" "}
          {shape(output.shape)}
        </>
      );
    case "value":
      return (
        <>
          The output {name} differs in {count(output.mismatches)} of {count(output.elements)} elements
          {output.maxAbs !== null && <>, by {float(output.maxAbs)} at most</>}
        </>
      );
    default:
      return (
        <>
          The output {name}: {meaning(output.kind)}
        </>
      );
  }
}

function meaning(term: string | null): string {
  return term === null ? "no reason was given" : (reasons[term] ?? words(term));
}
