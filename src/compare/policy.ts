import { z } from "zod";
import { UnderstudyError } from "../errors.js";

const tolerance = z
  .number({ error: "must be a number" })
  .min(0, "must be 0 or more")
  .refine(Number.isFinite, "must be finite");

const decisionSchema = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("argmax") }),
    z.strictObject({
      type: z.literal("topk"),
      k: z
        .number()
        .int("must be a whole number")
        .min(1, "must be at least 1")
        .max(1000, "must be at most 1000"),
      ordered: z.boolean().optional(),
    }),
    z.strictObject({ type: z.literal("threshold"), value: z.number({ error: "must be a number" }) }),
  ],
  { error: 'must have a "type" of argmax, topk or threshold' },
);

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

/** What every rule can carry. */
const common = {
  mismatchFraction: z
    .number({ error: "must be a number" })
    .min(0, "must be 0 or more")
    .max(1, "must be at most 1, being a fraction")
    .optional(),
  equalNan: z.boolean({ error: "must be true or false" }).optional(),
  decision: decisionSchema.optional(),
  ignore: ignoreSchema.optional(),
};

const outputPolicySchema = z.discriminatedUnion(
  "rule",
  [
    z.strictObject({
      rule: z.literal("numpy"),
      atol: tolerance.default(1e-8),
      rtol: tolerance.default(1e-5),
      ...common,
    }),
    z.strictObject({
      rule: z.literal("polygraphy"),
      atol: tolerance.default(1e-5),
      rtol: tolerance.default(1e-5),
      ...common,
    }),
    z.strictObject({ rule: z.literal("exact"), ...common }),
    z.strictObject({ rule: z.literal("bytes"), ...common }),
    z.strictObject({ rule: z.literal("json"), ...common }),
  ],
  { error: 'must have a "rule" of numpy, polygraphy, exact, bytes or json' },
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
 * - `bytes`: an element matches when its bytes are the same; 0 and −0 differ, a NaN equals itself.
 * - `json`: each BYTES element is parsed and compared structurally; other datatypes as `exact`.
 *
 * BYTES elements under the first three are compared as bytes. `numpy` and `polygraphy` differ on the same pair:
 * for p = 100, c = 100.15, atol = 0.1 and rtol = 0.001, `numpy` allows 0.1 + 0.001·100 = 0.2 ≥ 0.15, a match,
 * while `polygraphy` finds 0.15 > 0.1 and 0.0015 > 0.001, a mismatch; `numpy` adds the two tolerances where
 * `polygraphy` takes the wider one, so what matches under `polygraphy` always matches under `numpy`, not the reverse.
 *
 * `mismatchFraction` is the share of elements that may mismatch (default 0); a mismatch with NaN or Infinity is
 * never within it. `equalNan` lets NaN on both sides match. `ignore` keeps the output from being judged, until its
 * expiry; what it came to is still reported.
 */
export type OutputPolicy = z.infer<typeof outputPolicySchema>;

export type DecisionPolicy = z.infer<typeof decisionSchema>;

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
