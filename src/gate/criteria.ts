import { z } from "zod";

const fraction = z.number().min(0, "must be 0 or more").max(1, "must be at most 1, being a fraction");

/**
 * What a gate judges by. A limit that is not given is not judged; the requirements below them always are. Fractions
 * throughout: 0.01 is 1 %.
 */
export const gateCriteriaSchema = z.strictObject({
  maxDiffRate: fraction.optional().meta({ description: "mismatches / (matches + mismatches)" }),
  maxFlipRate: fraction
    .optional()
    .meta({ description: "comparisons with a changed decision / those with any" }),
  maxErrorRate: fraction
    .optional()
    .meta({ description: "requests that the candidate failed / all replayed" }),
  maxP99Regression: z
    .number()
    .min(0, "must be 0 or more")
    .max(1_000, "must be at most 1000")
    .optional()
    .meta({ description: "0.1 allows a p99 of 1.1 times the control's" }),
  minSamples: z
    .number()
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .max(1_000_000_000_000, "must be at most 10^12")
    .default(1_000),
  minCoverage: fraction.default(0.95).meta({ description: "finished / captured, of the frozen set" }),
  alpha: z
    .number()
    .gt(0, "must lie above 0")
    .max(0.5, "must be at most 0.5")
    .default(0.05)
    .meta({ description: "How often a verdict may be wrong, over all criteria together" }),
  acceptInlinePrimaryLatency: z.boolean().default(false).meta({
    description: "Without a control, judge latency against the primary's own, measured under its own load",
  }),
});

export type GateCriteria = z.output<typeof gateCriteriaSchema>;

export const criterionNames = ["diffRate", "flipRate", "errorRate", "p99Regression"] as const;
export type CriterionName = (typeof criterionNames)[number];

/** The limits that were given, by the criterion they belong to. */
export function limitsOf(criteria: GateCriteria): Partial<Record<CriterionName, number>> {
  const { maxDiffRate, maxFlipRate, maxErrorRate, maxP99Regression } = criteria;
  const all = {
    diffRate: maxDiffRate,
    flipRate: maxFlipRate,
    errorRate: maxErrorRate,
    p99Regression: maxP99Regression,
  };
  return Object.fromEntries(Object.entries(all).filter(([, limit]) => limit !== undefined));
}
