import type { OutputDetail } from "../../../../src/control/api.js";
import { atLeast } from "../../format";
import { Name } from "../../parts/words";
import { ruleText } from "../../policy-words";

type Judgement = OutputDetail["judgedBy"];

/** The rule that an output was judged by, and the tolerance that would have let it pass. */
export function JudgedBy({ output }: { output: OutputDetail }) {
  const { judgedBy, result } = output;
  const needed = neededAtol(output);
  return (
    <p className="judged">
      <span className="quiet">Judged by {ruleText(judgedBy)}.</span>
      {needed !== null && (
        <>
          {" "}
          <span title={`atol ${needed}`}>{neededText(judgedBy, atLeast(needed))}</span>
        </>
      )}
      {result === "ignored" && judgedBy.ignore && (
        <>
          {" "}
          Ignored: <Name>{judgedBy.ignore.reason}</Name>.
        </>
      )}
    </p>
  );
}

/** null: no atol would have helped, or the rule has none. */
function neededAtol({ kind, judgedBy, atolToPass }: OutputDetail): number | null {
  const hasAtol = judgedBy.rule === "numpy" || judgedBy.rule === "polygraphy";
  return kind === "value" && hasAtol && typeof atolToPass === "number" ? atolToPass : null;
}

function neededText(judgedBy: Judgement, atol: string): string {
  const allowsSome = "mismatchFraction" in judgedBy && (judgedBy.mismatchFraction ?? 0) > 0;
  return allowsSome
    ? `With this rtol and an atol of ${atol} every element would have matched.`
    : `With this rtol an atol of ${atol} would have passed.`;
}
