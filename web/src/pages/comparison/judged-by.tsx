import type { OutputDetail } from "../../../../src/control/api.js";
import { atLeast, percent, short } from "../../format";
import { Name } from "../../parts/words";

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

function ruleText(judgedBy: Judgement): string {
  return [judgedBy.rule, ...tolerances(judgedBy), ...allowances(judgedBy)].join(", ");
}

function tolerances(judgedBy: Judgement): string[] {
  switch (judgedBy.rule) {
    case "numpy":
    case "polygraphy":
      return [
        `atol ${short(judgedBy.atol)}`,
        `rtol ${short(judgedBy.rtol)}`,
        ...statisticText(judgedBy.statistic, judgedBy.quantile),
      ];
    case "ulp":
      return [`at most ${judgedBy.maxUlps} units in the last place`];
    case "cosine":
      return [`at least ${judgedBy.minCosine}`];
    case "exact":
    case "bytes":
    case "json":
      return [];
  }
}

function statisticText(statistic: string | undefined, quantile: number | undefined): string[] {
  if (statistic === undefined || statistic === "elementwise") return [];
  return [`of the ${statistic === "quantile" ? `${quantile ?? 0.99} quantile` : statistic} of all errors`];
}

function allowances(judgedBy: Judgement): string[] {
  const fraction = "mismatchFraction" in judgedBy ? (judgedBy.mismatchFraction ?? 0) : 0;
  return [
    ...(fraction > 0 ? [`up to ${percent(fraction, 1)} of the elements may differ`] : []),
    ...("equalNan" in judgedBy && judgedBy.equalNan ? ["NaN equals NaN"] : []),
  ];
}
