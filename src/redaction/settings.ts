import { z } from "zod";
import { UnderstudyError } from "../errors.js";
import { parseJsonPath } from "./json-path.js";

const rulesMax = 100;
const nameMax = 256;

/** These say how a body is to be read: without them, a capture could not be. */
const contentHeaders = ["content-type", "content-encoding", "inference-header-content-length"];
/** Not recorded in any form, not as a hash either. */
const credentialHeaders = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

const name = z.string({ error: "must be a name" }).min(1, "must not be empty").max(nameMax);
const headerName = z
  .string({ error: "must be the name of a header" })
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, "must be the name of a header")
  .toLowerCase();
const jsonPath = name.superRefine((path, context) => {
  const parsed = parseJsonPath(path);
  if (typeof parsed === "string") context.addIssue({ code: "custom", message: parsed });
});

const targetSchema = z.union(
  [
    z.strictObject({ input: name }),
    z.strictObject({ output: name }),
    z.strictObject({ parameter: name }),
    z.strictObject({ json: jsonPath }),
    z.strictObject({
      header: headerName.refine((header) => !contentHeaders.includes(header), {
        error: "says how the body is read, so it cannot be redacted",
      }),
    }),
  ],
  {
    error:
      'must name one thing: {"input": NAME}, {"output": NAME}, {"parameter": NAME}, {"json": PATH} or {"header": NAME}',
  },
);

const actionSchema = z.union(
  [
    z.enum(["drop", "mask", "hash"]),
    z.strictObject({ truncate: z.number().int("must be a whole number").min(0).max(1_000_000) }),
  ],
  { error: 'must be "drop", "mask", "hash" or {"truncate": N}' },
);

const subjectSchema = z.union(
  [
    z.strictObject({
      header: headerName.refine((header) => ![...contentHeaders, ...credentialHeaders].includes(header), {
        error: "cannot name a subject: it is a credential, or says how the body is read",
      }),
    }),
    z.strictObject({ parameter: name }),
  ],
  { error: 'must be {"header": NAME} or {"parameter": NAME}' },
);

/** What is taken out of a deployment's captures before anything is written. Strict: an unknown key is an error. */
export const redactionSchema = z.strictObject({
  rules: z
    .array(z.strictObject({ target: targetSchema, action: actionSchema }))
    .max(rulesMax, `must be at most ${rulesMax}`)
    .default([]),
  subject: subjectSchema.nullable().default(null),
  replayRedacted: z.boolean({ error: "must be true or false" }).default(false),
});

/**
 * `rules` are applied in their order. `subject` says where a request names whose it is: of that only a keyed hash is
 * kept. `replayRedacted`: requests whose model input was redacted are sent to candidates all the same.
 */
export type Redaction = z.infer<typeof redactionSchema>;
export type RedactionTarget = z.infer<typeof targetSchema>;
export type RedactionAction = z.infer<typeof actionSchema>;

export const noRedaction: Redaction = { rules: [], subject: null, replayRedacted: false };

/** Whether anything of a capture can be changed, or is to be looked for in it. */
export function redactsAnything({ rules, subject }: Redaction): boolean {
  return rules.length > 0 || subject !== null;
}

/** Whether it needs a secret key. */
export function needsKey({ rules, subject }: Redaction): boolean {
  return subject !== null || rules.some(({ action }) => action === "hash");
}

/**
 * Reads a redaction from outside, filling in defaults.
 * @throws UnderstudyError `invalid_request` that names every fault by its path
 */
export function parseRedaction(value: unknown): Redaction {
  const parsed = redactionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  throw new UnderstudyError(
    "invalid_request",
    `The redaction is not valid: ${issues.map(({ path, message }) => `${path || "redaction"}: ${message}`).join("; ")}`,
    { hint: "Correct the fields that are named; docs/redaction.md shows every form.", details: { issues } },
  );
}
