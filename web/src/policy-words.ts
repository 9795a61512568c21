import type { OutputDetail } from "../../src/control/api.js";
import { percent, short, visible } from "./format";

type Judgement = OutputDetail["judgedBy"];

/** What a policy says of one output, in words: its rule, tolerances and allowances. */
export function ruleText(judgedBy: Judgement): string {
  return [judgedBy.rule, ...tolerances(judgedBy), ...allowances(judgedBy)].join(", ");
}

/** The same with what is beside the rule: the decision, and whether it is judged at all. */
export function judgementText(judgedBy: Judgement): string {
  const { decision, ignore } = judgedBy;
  return [
    ruleText(judgedBy),
    ...(decision ? [`decision ${decision.type}`] : []),
    ...(ignore ? [`ignored (${visible(ignore.reason)})`] : []),
  ].join(", ");
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
