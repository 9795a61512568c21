import { z } from "zod";

/** Bounds, so that what a request costs on the serving thread has one too. */
const targetsMax = 8;
const tagsMax = 8;
/** A tag's value beyond this is cut off. */
export const tagCharactersMax = 256;

/** Headers that carry credentials: never recorded, whatever a deployment says. */
const credentialHeader =
  /^(authorization|proxy-authorization|cookie|set-cookie|.*(api-?key|token|secret|password).*)$/;

const headerName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "must be a header's name")
  .toLowerCase()
  .refine((name) => !credentialHeader.test(name), {
    error: "must not be a header that carries a credential: those are never recorded",
  });

const condition = z
  .strictObject({
    status: z
      .union(
        [
          z.literal("errors"),
          z
            .array(
              z
                .number()
                .int()
                .min(100, "must be a status from 100 to 599")
                .max(599, "must be a status from 100 to 599"),
            )
            .min(1)
            .max(32),
        ],
        {
          error: "must be errors (4xx and 5xx), or a list of status codes",
        },
      )
      .optional()
      .meta({ description: "Of the answer: `errors` for 4xx and 5xx, or these codes" }),
    slowerThanMs: z
      .number()
      .positive("must be above 0")
      .max(3_600_000)
      .optional()
      .meta({ description: "The primary took longer than this" }),
    header: z
      .strictObject({ name: headerName, equals: z.string().max(1024) })
      .optional()
      .meta({ description: "A request header that has exactly this value" }),
  })
  .refine((when) => Object.values(when).some((part) => part !== undefined), {
    error: "must name status, slowerThanMs or header; what it names must all hold",
  });

const targetRule = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
        "must start with a letter or digit, then letters, digits, '.', '_', '-'",
      )
      .max(64),
    when: condition,
    share: z
      .number()
      .gt(0, "must be above 0")
      .max(1, "must be at most 1, being a fraction")
      .optional()
      .meta({ description: "Of the requests that match; default: all" }),
  })
  .meta({ id: "TargetRule" });

const targets = z
  .array(targetRule)
  .max(targetsMax, `must be at most ${targetsMax} rules`)
  .refine((rules) => new Set(rules.map((rule) => rule.name)).size === rules.length, {
    error: "must have names that differ",
  })
  .meta({
    description: "Requests outside the base sample that are captured all the same; the first that matches",
  });

const tags = z
  .array(headerName)
  .max(tagsMax, `must be at most ${tagsMax} headers`)
  .refine((names) => new Set(names).size === names.length, { error: "must name each header once" })
  .meta({ description: "Request headers kept with a capture, beside traceparent and x-request-id" });

const sequences = z.boolean().meta({
  description: "Capture requests with a sequence_id, each sequence whole, and replay them in order",
});

/** How a deployment's requests are captured, beside the base sample. */
export const captureSettingsSchema = z.strictObject({
  targets: targets.default([]),
  sequences: sequences.default(false),
  tags: tags.default([]),
});
export type CaptureSettings = z.infer<typeof captureSettingsSchema>;
export type TargetRule = CaptureSettings["targets"][number];

/** What may change of them; an absent field stays. */
export const captureChangeSchema = z.strictObject({
  targets: targets.optional(),
  sequences: sequences.optional(),
  tags: tags.optional(),
});
