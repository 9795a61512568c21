import { z } from "zod";
import { UnderstudyError } from "../errors.js";
import { datatypes } from "../tensor/tensor.js";
import { decisionSchema } from "./decision-policy.js";

const tolerance = z
  .number({ error: "must be a number" })
  .min(0, "must be 0 or more")
  .refine(Number.isFinite, "must be finite");

const ignoreSchema = z.strictObject({
  reason: z
    .string({ error: "must say why, in words" })
    .trim()
    .min(1, "must say why")
    .max(500, "must be at most 500 characters"),
  until: z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], {
      error: "must be a date (2026-12-31, its beginning in UTC) or a date-time with an offset",
    })
    .optional(),
});

const flag = z.boolean({ error: "must be true or false" });

const fraction = z
  .number({ error: "must be a number" })
  .min(0, "must be 0 or more")
  .max(1, "must be at most 1, being a fraction");

/** What every rule can carry. */
const common = {
  equalNan: flag.optional(),
  decision: decisionSchema.optional(),
  ignore: ignoreSchema.optional(),
};

const counted = { mismatchFraction: fraction.optional(), ...common };

const castForm = `must be true, false, or a list of datatypes (${datatypes.join(", ")})`;

const cast = {
  cast: z.union([z.boolean(), z.array(z.enum(datatypes)).min(1, castForm)], { error: castForm }).optional(),
};

const statistics = ["elementwise", "max", "mean", "median", "quantile"] as const;

const toleranced = {
  statistic: z.enum(statistics, { error: `must be one of ${statistics.join(", ")}` }).optional(),
  quantile: fraction.optional(),
  ...cast,
  ...counted,
};

/** Options that say nothing together: refused, so that nobody relies on the one that would be passed over. */
function refuseIdle(
  policy: { statistic?: (typeof statistics)[number]; quantile?: number; mismatchFraction?: number },
  context: z.RefinementCtx,
): void {
  const { statistic = "elementwise", quantile, mismatchFraction } = policy;
  const refuse = (name: string, message: string) =>
    context.addIssue({ code: "custom", path: [name], message });
  if (quantile !== undefined && statistic !== "quantile") refuse("quantile", 'needs "statistic": "quantile"');
  if (mismatchFraction !== undefined && statistic !== "elementwise") {
    refuse(
      "mismatchFraction",
      `counts single elements, so it says nothing beside "statistic": "${statistic}"`,
    );
  }
}

/** How one output is judged, as it is written: {@link OutputPolicy}. */
export const outputPolicySchema = z.discriminatedUnion(
  "rule",
  [
    z
      .strictObject({
        rule: z.literal("numpy"),
        atol: tolerance.default(1e-8),
        rtol: tolerance.default(1e-5),
        ...toleranced,
      })
      .superRefine(refuseIdle),
    z
      .strictObject({
        rule: z.literal("polygraphy"),
        atol: tolerance.default(1e-5),
        rtol: tolerance.default(1e-5),
        ...toleranced,
      })
      .superRefine(refuseIdle),
    z.strictObject({ rule: z.literal("exact"), ...cast, ...counted }),
    z.strictObject({
      rule: z.literal("ulp"),
      maxUlps: z
        .number({ error: "must be a whole number" })
        .int("must be a whole number")
        .min(0, "must be 0 or more")
        .default(1),
      ...cast,
      ...counted,
    }),
    z.strictObject({
      rule: z.literal("cosine"),
      minCosine: z
        .number({ error: "must be a number" })
        .min(-1, "must be -1 or more")
        .max(1, "must be at most 1")
        .default(0.997),
      ...cast,
      ...common,
    }),
    z.strictObject({ rule: z.literal("bytes"), ...counted }),
    z.strictObject({ rule: z.literal("json"), ...counted }),
  ],
  { error: 'must have a "rule" of numpy, polygraphy, exact, ulp, cosine, bytes or json' },
);

/** The body of a policy, as it is written, sent and stored. Strict: an unknown key is an error, not a silent default. */
export const policySchema = z.strictObject({
  outputs: z.record(z.string().min(1), outputPolicySchema),
  parameters: z.enum(["report", "fail"], { error: "must be report or fail" }).optional(),
});

/**
 * How two answers are judged: rules and tolerances per output (`"*"` for those not named), and whether differing
 * response parameters fail or are only reported (the default).
 */
export type Policy = z.infer<typeof policySchema>;

/**
 * How one output is judged. p is the primary's element, c the candidate's; in float64, integers exactly.
 *
 * - `numpy`: c matches when |c − p| ≤ atol + rtol·|p|.
 * - `polygraphy`: c mismatches when |c − p| > atol **and** |c − p| / |p| > rtol.
 * - `exact`: c matches when c = p; 0 and −0 are equal.
 * - `ulp`: c matches when at most `maxUlps` steps from one number of the datatype to the next lead from p to it.
 * - `cosine`: the output as a whole matches when its cosine similarity is at least `minCosine`.
 * - `bytes`: an element matches when its bytes are the same; 0 and −0 differ, a NaN equals itself.
 * - `json`: each BYTES element is parsed and compared structurally; other datatypes as `exact`.
 *
 * BYTES elements under all but the last are compared as bytes. `numpy` and `polygraphy` differ on the same pair:
 * for p = 100, c = 100.15, atol = 0.1 and rtol = 0.001, `numpy` allows 0.1 + 0.001·100 = 0.2 ≥ 0.15, a match,
 * while `polygraphy` finds 0.15 > 0.1 and 0.0015 > 0.001, a mismatch; `numpy` adds the two tolerances where
 * `polygraphy` takes the wider one, so what matches under `polygraphy` always matches under `numpy`, not the reverse.
 *
 * `statistic` judges the output by one number instead of its elements (see `criterion.ts`). `mismatchFraction` is the
 * share of elements that may mismatch (default 0); a mismatch with NaN or Infinity is never within it. `equalNan` lets
 * NaN on both sides match. `cast` names the datatypes that the candidate may answer with instead of the primary's
 * (see `cast.ts`). `ignore` keeps the output from being judged, until its expiry; what it came to is still reported.
 */
export type OutputPolicy = z.infer<typeof outputPolicySchema>;

/** NumPy's own defaults for everything. */
export const defaultPolicy: Policy = { outputs: { "*": { rule: "numpy", atol: 1e-8, rtol: 1e-5 } } };

/** The policy of one output: its own, else `"*"`, else that of {@link defaultPolicy}. */
export function policyFor(policy: Policy, output: string): OutputPolicy {
  if (Object.hasOwn(policy.outputs, output)) return policy.outputs[output]!;
  return policy.outputs["*"] ?? defaultPolicy.outputs["*"]!;
}

/** Why an output is ignored at a moment (Unix milliseconds), in the policy's words; null when it is to be judged. */
export function ignoredBecause({ ignore }: OutputPolicy, nowMs: number): string | null {
  if (ignore === undefined) return null;
  const hasExpired = ignore.until !== undefined && nowMs >= Date.parse(ignore.until);
  return hasExpired ? null : ignore.reason;
}

/**
 * Outputs whose ignore ended after the one moment and up to the other (Unix milliseconds): judged then they are judged
 * otherwise than at first, though the policy is the same.
 */
export function ignoresEnded({ outputs }: Policy, fromMs: number, toMs: number): string[] {
  return Object.entries(outputs).flatMap(([name, output]) =>
    ignoredBecause(output, fromMs) !== null && ignoredBecause(output, toMs) === null ? [name] : [],
  );
}

/**
 * Reads a policy from outside, filling in defaults. Reading its result again gives the same.
 * @throws UnderstudyError `invalid_request` that names every fault by its path, as `outputs.scores.atol: must be …`
 */
export function parsePolicy(value: unknown): Policy {
  const parsed = policySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  throw new UnderstudyError(
    "invalid_request",
    `The policy is not valid: ${issues.map(({ path, message }) => `${path || "policy"}: ${message}`).join("; ")}`,
    { hint: "Correct the fields that are named and send the policy again.", details: { issues } },
  );
}
