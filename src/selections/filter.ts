import { z } from "zod";

/** Most captures of one selection or replay. */
export const selectedMax = 1_000_000;

const text = z.string().min(1).max(256);
const moment = z.number().int().min(0).max(253_402_300_799_999);
const durationMs = z
  .number()
  .int()
  .min(1_000)
  .max(366 * 86_400_000);
const latencyMs = z.number().min(0).max(86_400_000);
const runId = z.number().int().min(1).max(999_999_999);

/** Which captures of a deployment are meant: those for which all that is given holds. */
export const captureFilterSchema = z
  .strictObject({
    from: moment.optional().meta({ description: "Received from then on, Unix milliseconds" }),
    to: moment.optional().meta({ description: "Received before then" }),
    sinceMs: durationMs.optional().meta({ description: "Received in the last so many milliseconds" }),
    status: z
      .array(
        z.string().regex(/^([1-5]\d\d|[1-5]xx)$/, "must be a status such as 503, or a class such as 5xx"),
      )
      .min(1)
      .max(50)
      .optional()
      .meta({ description: "Of the primary's answer: any of these" }),
    errorsOnly: z.boolean().optional().meta({ description: "The primary answered with 400 or more" }),
    primaryVersion: text.optional().meta({ description: "Answered by this version" }),
    beforeVersion: text.optional().meta({ description: "Received before this version first answered" }),
    afterVersion: text.optional().meta({ description: "Received since this version first answered" }),
    tags: z.record(text, z.string().max(256)).optional().meta({ description: "With all of these tags" }),
    minPrimaryMs: latencyMs.optional().meta({ description: "The primary took so long, or longer" }),
    maxPrimaryMs: latencyMs.optional().meta({ description: "The primary took so long at most" }),
    divergedIn: text.optional().meta({ description: "A candidate, for which the capture diverged before" }),
    divergedInRun: runId.optional().meta({ description: "A run in which the capture diverged" }),
    signature: text.optional().meta({ description: "It diverged with this signature" }),
    baseOnly: z.boolean().optional().meta({ description: "Without targeted captures" }),
    sample: z
      .number()
      .int()
      .min(1)
      .max(selectedMax)
      .optional()
      .meta({ description: "So many at most of these, at random; the same at every time" }),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
    path: ["to"],
    error: "must lie after from",
  })
  .refine(({ from, sinceMs }) => from === undefined || sinceMs === undefined, {
    path: ["sinceMs"],
    error: "give either from or sinceMs",
  })
  .refine(({ minPrimaryMs: min = 0, maxPrimaryMs: max = Number.POSITIVE_INFINITY }) => min <= max, {
    path: ["maxPrimaryMs"],
    error: "must not lie below minPrimaryMs",
  })
  .refine(
    ({ signature, divergedIn, divergedInRun }) =>
      signature === undefined || divergedIn !== undefined || divergedInRun !== undefined,
    { path: ["signature"], error: "needs divergedIn or divergedInRun: signatures are a candidate's" },
  );
export type CaptureFilter = z.infer<typeof captureFilterSchema>;
