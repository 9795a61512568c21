import { z } from "zod";
import { criterionNames, gateCriteriaSchema } from "./criteria.js";

/**
 * A gate's report: one plain model, from which each of its forms is rendered. Rates are fractions, moments Unix
 * milliseconds; non-finite numbers travel as strings, as everywhere in the API.
 */

const count = z.number().int().min(0);
const counts = z.record(z.string(), count);
/** A float64 in JSON. */
const float = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])]);
const verdict = z.enum(["pass", "fail", "inconclusive"]);

const criterion = z.object({
  name: z.enum(criterionNames),
  limit: z.number(),
  alpha: z.number().meta({ description: "This criterion's share" }),
  verdict,
  observed: float.nullable().meta({ description: "The rate; of p99Regression the ratio of p99s, less 1" }),
  bounds: z.tuple([float, float]).meta({
    description: "Limits between which nothing is refuted; each end holds at every look with 1 − alpha",
  }),
  trials: count.meta({ description: "Requests that count, or pairs of latencies" }),
  events: count.nullable(),
  evidence: z
    .object({ against: float, for: float, needed: z.number() })
    .meta({ description: "Natural logarithms: a verdict takes `needed`" }),
  needed: z
    .object({ verdict: z.enum(["pass", "fail"]), more: count })
    .nullable()
    .meta({ description: "Requests that a verdict would still take if the rate stays as it was" }),
  reason: z.string().nullable(),
});
export type JudgedCriterion = z.infer<typeof criterion>;

const requirement = z.object({
  name: z.enum(["minSamples", "minCoverage", "balancedLedger"]),
  wanted: z.number().nullable(),
  found: z.number().nullable(),
  met: z.boolean(),
  reason: z.string().nullable(),
});
export type JudgedRequirement = z.infer<typeof requirement>;

const setCounts = z.object({
  captured: count,
  matches: count,
  mismatches: count,
  ignored: count,
  incomparable: count,
  flips: count,
  decided: count,
  candidateError: counts,
  notReplayed: counts,
  expired: count,
  dead: count,
  erased: count,
});

export const digestsSchema = z.object({
  model: z.string().meta({ description: "SHA-256 of the model file, or of the pinned revision" }),
  policy: z.string(),
  selection: z.string().nullable(),
  ledger: z.string().meta({ description: "Over the account of the set's requests" }),
});
export type Digests = z.infer<typeof digestsSchema>;

const latencyQuantile = z.object({
  q: z.number(),
  candidate: float.nullable(),
  reference: float.nullable(),
});

export const gateReportSchema = z.object({
  format: z.literal(1),
  deployment: z.string(),
  candidate: z.string(),
  author: z.string(),
  run: z.object({ id: z.number().int(), kind: z.enum(["live", "replay", "rejudge"]) }),
  model: z.object({
    url: z.string(),
    name: z.string(),
    version: z.string().nullable(),
    sha256: z.string().nullable(),
  }),
  policyVersion: count,
  selection: z
    .object({
      name: z.string(),
      sha256: z.string(),
      members: count,
      read: count.meta({ description: "Members that were judged, in the order of its seal" }),
    })
    .nullable(),
  set: z
    .object({
      frozenAt: z.number(),
      from: z.number(),
      firstAt: z.number().nullable(),
      watermark: z.number().meta({
        description: "Everything captured before it was finished; of a selection: after all that was read",
      }),
      waiting: count.meta({ description: "Captured over a minute before, and not finished" }),
      pending: count.meta({
        description:
          "Captured behind the watermark, waiting included: not judged. Of a selection: its members that were not read",
      }),
    })
    .meta({ description: "What was judged: frozen when the gate started" }),
  criteriaGiven: gateCriteriaSchema,
  verdict,
  summary: z.string(),
  criteria: z.array(criterion),
  requirements: z.array(requirement),
  counts: setCounts,
  coverage: z.number().nullable(),
  ledger: z.record(z.string(), z.union([count, counts, z.boolean()])),
  timeline: z.array(
    z.object({
      at: z.number(),
      samples: count,
      mismatches: count,
      decided: count,
      flips: count,
      finished: count,
      errors: count,
    }),
  ),
  outputs: z.array(
    z.object({
      name: z.string(),
      compared: count,
      mismatches: count,
      maxAbs: float.nullable(),
      decades: z
        .array(z.object({ decade: z.number().int().nullable(), comparisons: count }))
        .meta({ description: "By the largest absolute error; null: none, that is 0" }),
    }),
  ),
  latency: z
    .object({
      reference: z.enum(["control", "primary"]),
      pairs: count,
      thinned: z.boolean().meta({
        description: "Every so manieth pair, for there were too many; of a selection: the first so many",
      }),
      quantiles: z.array(latencyQuantile),
    })
    .nullable(),
  worst: z.array(
    z.object({
      id: z.string(),
      capturedAt: z.number(),
      what: z.string(),
      outputs: z.array(z.string()),
      maxAbs: float.nullable(),
      flip: z.boolean().nullable(),
    }),
  ),
  digests: digestsSchema,
  notes: z.array(z.string()),
});

export type GateReport = z.infer<typeof gateReportSchema>;
