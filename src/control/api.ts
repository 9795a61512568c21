import { z } from "zod";
import { captureChangeSchema, captureSettingsSchema } from "../capture/settings.js";
import { dispositions } from "../compare/facts.js";
import { outputPolicySchema, policySchema } from "../compare/policy.js";
import { signatureMarks, signatureStates } from "../compare/signature-state.js";
import { comparisonKinds, differenceKinds, results } from "../compare/types.js";
import { gateCriteriaSchema } from "../gate/criteria.js";
import { gateReportSchema } from "../gate/report.js";
import { approvalRules } from "../gate/standing.js";
import { redactionSchema } from "../redaction/settings.js";
import { flowChangeSchema, flowSchema } from "../replay/flow.js";
import { captureFilterSchema } from "../selections/filter.js";
import { erasureKinds, erasureStates } from "../store/erasure-types.js";
import { gateStates } from "../store/gate-types.js";
import { aliases } from "../store/promotions.js";
import { replayStates } from "../store/replay-types.js";
import { datatypes } from "../tensor/tensor.js";
import { failureKinds } from "../upstream/observation.js";

/**
 * The control plane's API: every request and response, once. The routes validate with these schemas, the OpenAPI
 * document is made from them, and the reviewer page imports their types.
 *
 * Rates are fractions. Durations and moments are milliseconds, moments since the Unix epoch. Numbers that JSON
 * cannot carry (non-finite, 64-bit) travel as strings. Unknown fields in a request are errors.
 */

// ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────

const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
    "must start with a letter or digit, then letters, digits, '.', '_', '-'",
  )
  .max(128);
const rate = z.number().min(0).max(1);
const ms = z.number();
/** Milliseconds since the Unix epoch. */
const moment = z.number().int().meta({ description: "Milliseconds since the Unix epoch" });
const count = z.number().int().min(0);
const counts = z.record(z.string(), count);
/** A float64 in JSON. */
const float = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])]);
const elementValue = z.union([z.number(), z.string(), z.boolean()]);

/** With `-`: descending. Those that are not by time leave out comparisons without that number. */
export const comparisonSorts = [
  "-capturedAt",
  "capturedAt",
  "-maxAbs",
  "maxAbs",
  "-candidateMs",
  "candidateMs",
] as const;

/** One page of a list; `nextCursor` is null on the last. */
const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

// ── problems (RFC 9457) ─────────────────────────────────────────────────────────────────────────────────────────

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string().meta({ description: "A stable word for programs" }),
    hint: z.string().optional().meta({ description: "What to do next" }),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof problem>;

// ── deployments and candidates ──────────────────────────────────────────────────────────────────────────────────

const secretHeaders = z
  .record(
    z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "must be a header name"),
    z.string().min(1).max(128),
  )
  .meta({ description: "Header name → name of the secret that holds its value (UNDERSTUDY_SECRET_<NAME>)" });

const httpUrl = z
  .string()
  .max(2048)
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    error: "must be a URL that starts with http:// or https://",
    abort: true,
  })
  .refine((text) => new URL(text).username === "" && new URL(text).password === "", {
    error: "must not hold a user name or password: anyone who can read this could read them",
  });
const modelUrl = z
  .string()
  .max(2048)
  .refine((text) => /^onnx:.+$/.test(text) || httpUrl.safeParse(text).success, {
    error: (issue) =>
      URL.canParse(String(issue.input)) && new URL(String(issue.input)).username !== ""
        ? "must not hold a user name or password: anyone who can read this could read them"
        : "must be http(s)://HOST[:PORT], or onnx:PATH under the models folder",
  });

export const endpointInput = z
  .strictObject({
    url: httpUrl,
    model: z.string().min(1).max(256).optional(),
    version: z.string().min(1).max(128).optional(),
    headers: secretHeaders.optional(),
  })
  .meta({ id: "EndpointInput" });
export type EndpointInput = z.infer<typeof endpointInput>;

export const primaryInput = endpointInput
  .extend({
    replicas: z
      .array(httpUrl)
      .max(15)
      .optional()
      .meta({ description: "Further URLs of the same model and version; the least busy is asked" }),
  })
  .meta({ id: "PrimaryInput" });
export type PrimaryInput = z.infer<typeof primaryInput>;

export const endpoint = z
  .object({
    url: z.string(),
    model: z.string(),
    version: z.string().nullable(),
    headers: z.record(z.string(), z.string()),
  })
  .meta({ id: "Endpoint" });

export const primaryEndpoint = endpoint
  .extend({ replicas: z.array(z.string()) })
  .meta({ id: "PrimaryEndpoint" });

export const policyBody = policySchema.meta({ id: "PolicyBody" });
export type PolicyBody = z.input<typeof policyBody>;

/** As `KeepAnswers` of answers/keeping.ts. */
const keepAnswers = z
  .union([z.enum(["all", "divergent", "none"]), rate], {
    error: "must be all, divergent, none, or a share from 0 to 1",
  })
  .meta({
    description:
      "Which of the candidates' answers are kept, to be judged again: all; those that are no plain match; none; or a share",
  });
const keepMatchDetails = rate.meta({
  description:
    "Share of the matches whose outputs are kept; what they counted, and all others, are kept anyway; default 1",
});
const answersBytesPerDay = z
  .number()
  .int()
  .min(0)
  .max(2 ** 50)
  .meta({ description: "Quota of kept answers, by UTC day of their captures; default 2 GiB" });

const gateApproval = z.enum(approvalRules).meta({
  description: "Whose approval a promotion takes: none; anyone's; another's than the gate's author",
});

const captureSettings = captureSettingsSchema.meta({ id: "CaptureSettings" });
const captureChange = captureChangeSchema.meta({
  id: "CaptureChange",
  description: "What is captured beside the base sample; absent fields stay",
});
export const redaction = redactionSchema.meta({
  id: "Redaction",
  description: "What is taken out of captures before anything is written; the whole of it is replaced",
});

export const deploymentCreate = z
  .strictObject({
    name,
    primary: primaryInput,
    control: endpointInput.optional(),
    sampleRate: rate.optional(),
    captureEnabled: z.boolean().optional(),
    capture: captureChange.optional(),
    redaction: redaction.optional(),
    keepAnswers: keepAnswers.optional(),
    keepMatchDetails: keepMatchDetails.optional(),
    answersBytesPerDay: answersBytesPerDay.optional(),
    gateApproval: gateApproval.optional(),
    promoteUrl: httpUrl.optional(),
    policy: policyBody.optional(),
  })
  .meta({ id: "DeploymentCreate" });
export type DeploymentCreate = z.input<typeof deploymentCreate>;

export const deploymentUpdate = z
  .strictObject({
    primary: primaryInput.optional(),
    control: endpointInput.nullable().optional(),
    sampleRate: rate.optional(),
    captureEnabled: z.boolean().optional(),
    capture: captureChange.optional(),
    redaction: redaction.optional(),
    keepAnswers: keepAnswers.optional(),
    keepMatchDetails: keepMatchDetails.optional(),
    answersBytesPerDay: answersBytesPerDay.optional(),
    gateApproval: gateApproval.optional(),
    promoteUrl: httpUrl.nullable().optional(),
  })
  .meta({ id: "DeploymentUpdate" });
export type DeploymentUpdate = z.infer<typeof deploymentUpdate>;

export const deployment = z
  .object({
    name: z.string(),
    primary: primaryEndpoint,
    control: endpoint.nullable(),
    sampleRate: rate,
    captureEnabled: z.boolean(),
    capture: captureSettings,
    redaction,
    keepAnswers,
    keepMatchDetails,
    answersBytesPerDay,
    gateApproval,
    promoteUrl: z.string().nullable().meta({ description: "Told of a promotion before it counts" }),
    revision: count.meta({ description: "Grows with every change" }),
    createdAt: moment,
    updatedAt: moment,
  })
  .meta({ id: "Deployment" });
export type Deployment = z.infer<typeof deployment>;
export const deploymentPage = pageOf(deployment).meta({ id: "DeploymentPage" });
export type DeploymentPage = z.infer<typeof deploymentPage>;

const flow = flowSchema.meta({ id: "Flow" });
const flowChange = flowChangeSchema.meta({
  id: "FlowChange",
  description: "How the candidate is loaded; absent fields stay",
});

/** As many captures as a backfill takes unless it says otherwise, and at most. */
export const backfillCaptures = { default: 100_000, max: 10_000_000 } as const;

const backfill = z
  .union(
    [
      z.literal(true),
      z.strictObject({
        since: moment.optional(),
        captures: z
          .number()
          .int()
          .min(1)
          .max(backfillCaptures.max, `must be at most ${backfillCaptures.max}`)
          .optional(),
      }),
    ],
    { error: 'must be true, or {"since": MILLISECONDS, "captures": N}' },
  )
  .meta({
    description:
      "Its live run takes what was captured before as well, the newest first, by whole segments: " +
      `since a moment, and until it has ${backfillCaptures.default} captures unless \`captures\` says otherwise ` +
      "(the last segment may bring up to a thousand more)",
  });

export const candidateCreate = z
  .strictObject({
    name,
    url: modelUrl,
    model: z.string().min(1).max(256).optional(),
    version: z.string().min(1).max(128).optional(),
    headers: secretHeaders.optional(),
    newRevision: z.boolean().optional().meta({
      description:
        "Registered again: this is another model, although its URL, version and metadata are the same; a new run begins",
    }),
    flow: flowChange.optional(),
    backfill: backfill.optional(),
  })
  .meta({ id: "CandidateCreate" });
export type CandidateCreate = z.infer<typeof candidateCreate>;

export const candidateUpdate = z.strictObject({ flow: flowChange }).meta({ id: "CandidateUpdate" });
export type CandidateUpdate = z.infer<typeof candidateUpdate>;

export const candidate = z
  .object({
    name: z.string(),
    deployment: z.string(),
    url: z.string(),
    model: z.string(),
    version: z.string().nullable(),
    headers: z.record(z.string(), z.string()),
    sha256: z.string().nullable().meta({ description: "Digest of the model file, where we serve it" }),
    state: z.enum(["active", "retired", "target"]).meta({
      description: "target: not registered, but what a replay was sent to instead of a candidate",
    }),
    flow,
    breaker: z
      .object({
        since: moment,
        retryAt: moment.meta({ description: "When it is asked again" }),
        reason: z.string(),
        workers: count.meta({ description: "Worker processes that say so" }),
      })
      .nullable()
      .meta({
        description: "Set while it does not answer: its works are put off, and nothing counts as failed",
      }),
    warnings: z.array(z.string()).meta({ description: "For people: what may disturb production" }),
    run: z.number().int().meta({ description: "The newest live run" }),
    createdAt: moment,
    updatedAt: moment,
  })
  .meta({ id: "Candidate" });
export type Candidate = z.infer<typeof candidate>;
export const candidatePage = pageOf(candidate).meta({ id: "CandidatePage" });
export type CandidatePage = z.infer<typeof candidatePage>;

export const policy = z
  .object({
    version: count,
    body: policyBody,
    createdAt: moment,
  })
  .meta({ id: "Policy" });
export type Policy = z.infer<typeof policy>;

// ── ledger and summary ──────────────────────────────────────────────────────────────────────────────────────────

export const candidateLedger = z
  .object({
    compared: count,
    candidateError: counts,
    notReplayed: counts,
    expired: count,
    dead: count,
    erased: count,
    pending: count,
  })
  .meta({ id: "CandidateLedger" });
export type CandidateLedger = z.infer<typeof candidateLedger>;

// ── dead works ──────────────────────────────────────────────────────────────────────────────────────────────────

export const deadWork = z
  .object({
    id: z.string().meta({ description: "A 64-bit integer" }),
    deployment: z.string(),
    candidate: z.string(),
    run: z.number().int(),
    runKind: z.enum(["live", "replay", "rejudge"]),
    segment: z.string(),
    firstRow: count,
    rows: count.meta({ description: "Captures in it; each ended as dead" }),
    capture: z.string().nullable().meta({ description: "Id of the first of them" }),
    stalls: count,
    error: z.string(),
    diedAt: moment,
  })
  .meta({ id: "DeadWork" });
export type DeadWork = z.infer<typeof deadWork>;
export const deadWorkPage = pageOf(deadWork).meta({ id: "DeadWorkPage" });
export type DeadWorkPage = z.infer<typeof deadWorkPage>;
export const workRetry = z.object({ id: z.string(), state: z.literal("pending") }).meta({ id: "WorkRetry" });
export type WorkRetry = z.infer<typeof workRetry>;

export const ledgerCheck = z
  .object({
    at: moment,
    balanced: z.boolean(),
    inARow: count.meta({ description: "Checks in a row that found an imbalance; from 2 on it is an alert" }),
    imbalances: z.array(
      z.object({
        sum: z.enum(["received", "assigned", "ended"]),
        candidate: z.string().nullable().meta({ description: "null: the deployment's own sum" }),
        run: z.number().int().nullable(),
        offBy: z.number().int().meta({ description: "What the terms fall short of the total" }),
        text: z.string(),
      }),
    ),
  })
  .meta({ id: "LedgerCheck", description: "The newest check by a worker, of all time and every run" });
export type LedgerCheck = z.infer<typeof ledgerCheck>;

export const ledger = z
  .object({
    received: count,
    inFlight: count,
    sampledOut: count,
    notEligible: counts,
    dropped: counts,
    lost: count,
    buffered: count,
    captured: count,
    candidates: z.record(z.string(), candidateLedger),
    balanced: z.boolean(),
    check: ledgerCheck.nullable().meta({ description: "null: not checked yet" }),
    retention: z.object({
      days: count.meta({ description: "Captures are kept for so many days after their own has ended" }),
      keptFrom: z.string().nullable().meta({ description: "Oldest UTC day with captures, YYYY-MM-DD" }),
      droppedCaptures: count.meta({
        description: "Captures of days that were dropped; the account has them all",
      }),
    }),
  })
  .meta({ id: "Ledger" });
export type Ledger = z.infer<typeof ledger>;

export const captureSwitch = z
  .object({
    enabled: z.boolean().meta({ description: "false: nothing is captured, whatever a deployment says" }),
    changedAt: moment.nullable().meta({ description: "null: never" }),
  })
  .meta({ id: "CaptureSwitch" });
export type CaptureSwitch = z.infer<typeof captureSwitch>;

export const captureSwitchUpdate = z
  .strictObject({ enabled: z.boolean() })
  .meta({ id: "CaptureSwitchUpdate" });

const bytesPerDay = z.number().min(0).nullable();

export const estimate = z
  .object({
    captureEnabled: z.boolean(),
    sampleRate: rate,
    observedMs: ms.meta({ description: "How long traffic was seen, of the last day; 0: none was" }),
    requests: count,
    requestBytes: count.meta({ description: "Of the bodies of all requests, captured or not" }),
    responseBytes: count,
    requestsPerDay: z.number().min(0).nullable(),
    bytesPerDay: bytesPerDay.meta({ description: "Bodies in the base sample, at this sample rate" }),
    storedBytesPerDay: bytesPerDay.meta({
      description: "The same as segments, compressed as the newest were; null: there are none yet",
    }),
    rules: count.meta({ description: "Rules that add targeted captures, which are not in the estimate" }),
  })
  .meta({ id: "Estimate" });
export type Estimate = z.infer<typeof estimate>;

const quantiles = z.object({
  p50: ms.nullable(),
  p90: ms.nullable(),
  p95: ms.nullable(),
  p99: ms.nullable(),
});

/** What the primary's control answered to the same requests: how far two answers of one model lie apart. */
export const noise = z
  .object({
    samples: count.meta({ description: "Comparisons of the primary with its control" }),
    mismatches: count.meta({ description: "Of those, under the run's policy" }),
    errors: count.meta({ description: "Requests that the control did not answer" }),
    outputs: z.array(
      z.object({
        name: z.string(),
        shape: z.array(z.number().int()),
        samples: count,
        p99Abs: float.nullable(),
        maxAbs: float.nullable(),
        maxRel: float.nullable(),
      }),
    ),
  })
  .meta({ id: "Noise" });

export const policyProposal = z
  .object({
    run: z.number().int(),
    measured: z
      .boolean()
      .meta({ description: "false: there is no noise to go by; the policy is the one in force" }),
    policy: policyBody,
    reasons: z
      .array(z.string())
      .meta({ description: "For people: how each tolerance follows from what was measured" }),
  })
  .meta({ id: "PolicyProposal" });
export type PolicyProposal = z.infer<typeof policyProposal>;

export const summary = z
  .object({
    run: z.number().int(),
    samples: count.meta({ description: "matches + mismatches, of the base sample" }),
    mismatches: count,
    ignored: count,
    incomparable: count,
    diffRate: rate.nullable().meta({ description: "mismatches / samples; null without samples" }),
    diffRateInterval: z.tuple([rate, rate]).meta({ description: "Wilson, 95 %; for display" }),
    decisionFlipRate: rate.nullable(),
    errorRate: rate.nullable().meta({ description: "Failures of the candidate / all replays" }),
    verdict: z.enum(["pass", "fail", "inconclusive"]).nullable(),
    ledgerCheck: ledgerCheck
      .nullable()
      .meta({ description: "Whether the rates' denominators are accounted for; null: not checked yet" }),
    noise: noise
      .nullable()
      .meta({ description: "null: not measured, for nothing was replayed to a control" }),
    outputs: z.array(
      z.object({
        name: z.string(),
        compared: count,
        mismatches: count,
        maxAbs: float.nullable(),
        p50Abs: float.nullable(),
        p99Abs: float.nullable(),
        maxRel: float.nullable(),
        aboveNoise: count.nullable().meta({
          description:
            "Comparisons whose largest absolute error is above the largest that the control made; null: not measured",
        }),
        kinds: counts,
        confusion: z
          .array(z.object({ from: z.string(), to: z.string(), count }))
          .meta({ description: "Comparisons in which a decision changed so; the 90 most frequent changes" }),
      }),
    ),
    latency: z.object({
      primary: quantiles,
      candidate: quantiles,
      control: quantiles.optional(),
    }),
  })
  .meta({ id: "Summary" });
export type Summary = z.infer<typeof summary>;

// ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a summary says of a set of pairs, as far as it hangs on the policy. */
export const judged = summary
  .pick({
    samples: true,
    mismatches: true,
    ignored: true,
    incomparable: true,
    diffRate: true,
    diffRateInterval: true,
    decisionFlipRate: true,
    errorRate: true,
  })
  .extend({
    flips: count,
    outputs: z.array(z.object({ name: z.string(), compared: count, mismatches: count, kinds: counts })),
  })
  .meta({ id: "Judged" });
export type Judged = z.infer<typeof judged>;

export const run = z
  .object({
    id: z.number().int(),
    kind: z.enum(["live", "replay", "rejudge"]),
    deployment: z.string(),
    candidate: z.string(),
    policyVersion: count,
    sourceRun: z
      .number()
      .int()
      .nullable()
      .meta({ description: "Of a rejudge: whose pairs are judged again" }),
    state: z.enum(["open", "closed"]).meta({ description: "open: it takes each new segment" }),
    openedAt: moment,
    closedAt: moment.nullable(),
    works: z
      .object({ total: count, pending: count, done: count, dead: count })
      .meta({ description: "A work is one segment. A rejudge is done when none is pending" }),
    policy: policyBody.meta({ description: "That of policyVersion" }),
    captures: count.meta({ description: "In its works" }),
    answers: z
      .object({ kept: count, bytes: count })
      .meta({ description: "Of the candidate, kept of these captures; of a rejudge: of its source" }),
    rejudge: z
      .object({
        sourcePolicy: z
          .object({ version: count, body: policyBody })
          .meta({ description: "By which the source run judged" }),
        pairs: count.meta({ description: "Captures looked at so far, of every sample" }),
        stored: count.meta({ description: "Of these, with an answer that was still stored" }),
        storedShare: rate.nullable(),
        before: judged.meta({ description: "What the source run said of the very pairs judged again" }),
        after: judged,
        changes: z
          .array(z.object({ from: z.string(), to: z.string(), pairs: count }))
          .meta({ description: "Results that turned into others" }),
      })
      .nullable(),
  })
  .meta({ id: "Run" });
export type Run = z.infer<typeof run>;

// ── comparisons ─────────────────────────────────────────────────────────────────────────────────────────────────

export const structuralDifference = z.object({
  path: z.string(),
  change: z.enum(["added", "removed", "changed", "array"]),
  primary: z.unknown().optional(),
  candidate: z.unknown().optional(),
});

/** One try at sending a request to the candidate. */
export const attempt = z.object({
  startedMs: ms,
  latencyMs: ms,
  status: z.number().int().optional(),
  failure: z.enum(failureKinds).optional(),
});

const sampleWord = z
  .enum(["base", "targeted"])
  .meta({ description: "base: chosen by the coin; targeted: added by a rule, and in no rate" });

export const comparisonItem = z
  .object({
    id: z.string(),
    run: z.number().int(),
    capturedAt: moment,
    judgedAt: moment,
    sample: sampleWord,
    disposition: z.enum(dispositions),
    reason: z.string().nullable(),
    result: z.enum(results).nullable(),
    kind: z.string().nullable().meta({ description: "The gravest kind of difference, or why incomparable" }),
    signature: z.string().nullable(),
    flip: z.boolean().nullable().meta({ description: "Whether a declared decision changed" }),
    primaryVersion: z.string(),
    primaryMs: ms,
    candidateMs: ms.nullable(),
    controlMs: ms.nullable(),
    maxAbs: float.nullable(),
    maxRel: float.nullable(),
    outputs: z.array(z.string()).meta({ description: "Names of the outputs that mismatch" }),
    flips: z.array(z.object({ output: z.string(), from: z.string(), to: z.string() })).meta({
      description: "Outputs whose decision changed; of several rows those that differ, as `row:label`",
    }),
  })
  .meta({ id: "ComparisonItem" });
export type ComparisonItem = z.infer<typeof comparisonItem>;
export const comparisonPage = pageOf(comparisonItem).meta({ id: "ComparisonPage" });
export type ComparisonPage = z.infer<typeof comparisonPage>;

export const decisionChanges = z
  .array(z.object({ from: z.string(), to: z.string(), count }))
  .meta({ description: "On a flip: rows, elements or images by what turned into what; at most 16 kinds" });

export const outputDetail = z
  .object({
    name: z.string(),
    result: z.enum(["match", "mismatch", "ignored"]),
    kind: z.enum(differenceKinds).nullable(),
    datatype: z.enum(datatypes).nullable(),
    shape: z.array(z.number().int()),
    candidateDatatype: z.enum(datatypes).nullable(),
    candidateShape: z.array(z.number().int()).nullable(),
    elements: count,
    mismatches: count,
    maxAbs: float.nullable(),
    maxRel: float.nullable(),
    meanAbs: float.nullable(),
    rmse: float.nullable(),
    cosine: float.nullable(),
    nonFinitePrimary: count,
    nonFiniteCandidate: count,
    judgedBy: outputPolicySchema.meta({ description: "What the run's policy says of this output" }),
    histogram: z
      .object({
        equal: count.meta({ description: "Pairs without an error" }),
        decades: z.array(z.object({ decade: z.number().int(), pairs: count })).meta({
          description:
            "Pairs with 10^decade ≤ |candidate − primary| < 10^(decade + 1), ascending; -20 has all smaller ones too, 19 all larger ones",
        }),
      })
      .nullable()
      .meta({ description: "Errors of the finite pairs by magnitude; null: not measured" }),
    atolToPass: float.nullable().meta({
      description:
        "The least atol, the rest of the rule being as it is, with which all finite pairs would have matched, or the statistic would have passed; null: none would, or not measured",
    }),
    statistic: z
      .object({
        name: z.enum(["max", "mean", "median", "quantile"]),
        abs: float.nullable(),
        rel: float.nullable(),
      })
      .nullable()
      .meta({
        description:
          "What the policy judges by instead of single elements: of |candidate − primary|, and of that over |primary|",
      }),
    maxUlps: z
      .union([count, z.string().regex(/^\d+$/)])
      .nullable()
      .meta({ description: "Largest distance in units in the last place, under ulp; beyond 2^53 a string" }),
    decision: z
      .object({
        from: z.string(),
        to: z.string(),
        flip: z.boolean(),
        changes: decisionChanges,
      })
      .nullable(),
    worst: z.array(
      z.object({
        index: z.array(z.number().int()),
        primary: elementValue,
        candidate: elementValue,
        absError: float.nullable(),
      }),
    ),
    differences: z.array(structuralDifference),
  })
  .meta({ id: "OutputDetail" });
export type OutputDetail = z.infer<typeof outputDetail>;

export const comparisonDetail = comparisonItem
  .omit({ outputs: true, flips: true })
  .extend({
    deployment: z.string(),
    candidate: z.string(),
    captureId: z.string(),
    policyVersion: count.meta({ description: "By which it was judged" }),
    message: z.string().nullable().meta({ description: "What the failed replay said, an excerpt" }),
    attempts: z.array(attempt),
    parameters: z.array(structuralDifference),
    request: z
      .object({
        transport: z.string(),
        requestBytes: count,
        responseBytes: count,
        status: z.number().int().meta({ description: "Of the primary's answer" }),
        rule: z.string().nullable().meta({ description: "Of a targeted capture, the rule that added it" }),
        tags: z.record(z.string(), z.string()),
        redacted: z
          .array(z.string())
          .meta({ description: "What was taken out before it was written: `input:NAME`, `header:NAME`, …" }),
      })
      .nullable(),
    outputs: z.array(outputDetail),
  })
  .meta({ id: "ComparisonDetail" });
export type ComparisonDetail = z.infer<typeof comparisonDetail>;

export const tensorValues = z
  .object({
    name: z.string(),
    datatype: z.enum(datatypes),
    shape: z.array(z.number().int()),
    elements: count,
    values: z.array(elementValue).meta({ description: "Row-major; the first ones where truncated" }),
    truncated: z.boolean(),
  })
  .meta({ id: "TensorValues" });
export type TensorValues = z.infer<typeof tensorValues>;

/** Tensors, or null and the reason in one sentence. */
const tensorSide = z.object({
  tensors: z.array(tensorValues).nullable(),
  note: z.string().nullable(),
});

export const comparisonTensors = z
  .object({
    inputs: tensorSide,
    primary: tensorSide,
    candidate: tensorSide,
  })
  .meta({ id: "ComparisonTensors" });
export type ComparisonTensors = z.infer<typeof comparisonTensors>;

// ── signatures ──────────────────────────────────────────────────────────────────────────────────────────────────

export const signature = z
  .object({
    id: z.string().meta({ description: "The same for the same divergences in every run" }),
    output: z.string().nullable().meta({ description: "The output that leads; null: the answer as a whole" }),
    kind: z.enum(differenceKinds),
    magnitude: float.nullable().meta({
      description:
        "The power of ten at or below the largest absolute error; or 0, or Infinity; null: not measured",
    }),
    flip: z.boolean().nullable().meta({ description: "Whether the output's declared decision changed" }),
    shape: z.array(z.number().int()).nullable(),
    count: count.meta({ description: "Of the base sample, in this run" }),
    firstSeen: moment
      .nullable()
      .meta({ description: "When the first was captured, in the last run that had it" }),
    lastSeen: moment.nullable(),
    representative: z.string().nullable().meta({ description: "A comparison; null: none is kept" }),
    state: z.enum(signatureStates),
    acceptedUntil: moment.nullable(),
    note: z.string().nullable(),
    by: z.string().nullable(),
    updatedAt: moment.nullable().meta({ description: "When a person last said what it is; null: never" }),
  })
  .meta({ id: "Signature" });
export type Signature = z.infer<typeof signature>;
export const signaturePage = pageOf(signature).meta({ id: "SignaturePage" });
export type SignaturePage = z.infer<typeof signaturePage>;

export const signatureUpdate = z
  .strictObject({
    state: z.enum(signatureMarks),
    until: moment
      .max(8_640_000_000_000_000)
      .nullable()
      .optional()
      .meta({ description: "Of `accepted`: when it lapses to `known`; absent: never" }),
    note: z.string().max(2000).nullable().optional(),
    by: z.string().max(128).nullable().optional().meta({ description: "Who says so" }),
  })
  .refine(({ state, until }) => state === "accepted" || until === undefined || until === null, {
    path: ["until"],
    error: "is for accepted alone",
  })
  .refine(({ until }) => typeof until !== "number" || until > Date.now(), {
    path: ["until"],
    error: "must lie in the future",
  })
  .meta({ id: "SignatureUpdate" });
export type SignatureUpdate = z.infer<typeof signatureUpdate>;

// ── replays ─────────────────────────────────────────────────────────────────────────────────────────────────────

export const captureFilter = captureFilterSchema.meta({
  id: "CaptureFilter",
  description: "Which captures: those for which all that is given holds",
});
export type CaptureFilter = z.infer<typeof captureFilter>;

export const selectionCreate = z
  .strictObject({
    name,
    filter: captureFilter.default({}),
    seal: z.boolean().default(false).meta({ description: "These very captures for ever" }),
  })
  .meta({ id: "SelectionCreate" });

export const selection = z
  .object({
    deployment: z.string(),
    name: z.string(),
    filter: captureFilter,
    captures: count.meta({ description: "Its members; unsealed: those that match now" }),
    erased: count.meta({ description: "Of its members, those that were erased since" }),
    sealed: z
      .object({
        at: moment,
        key: z.string().meta({ description: "The order is that of SHA-256 over KEY:ID" }),
        sha256: z.string().meta({ description: "Over the members' ids in that order, one a line" }),
      })
      .nullable(),
    createdAt: moment,
  })
  .meta({ id: "Selection" });
export type Selection = z.infer<typeof selection>;

export const selectionComparison = z
  .object({
    deployment: z.string(),
    selection: z.string(),
    members: count,
    erased: count,
    common: count.meta({ description: "Members that every one of these candidates answered" }),
    candidates: z
      .array(
        z.object({
          candidate: z.string(),
          run: z.number().int(),
          finished: count.meta({ description: "Members that came to an outcome, whatever it was" }),
          answered: count,
          failed: count,
          samples: count.meta({ description: "Matches and mismatches, of the common members" }),
          mismatches: count,
          diffRate: rate.nullable(),
          diffRateInterval: z.tuple([rate, rate]),
          decisionFlipRate: rate.nullable(),
          p50Ms: ms.nullable(),
          p99Ms: ms.nullable(),
        }),
      )
      .meta({
        description:
          "By name: from each one's newest replay of the selection that is done, else its newest, of its revision now and under the policy in force",
      }),
    beyond: z.array(z.string()).meta({ description: "Left out, being more than are compared at a time" }),
    outdated: z.array(z.string()).meta({
      description: "Candidates with results of another revision or policy only: they are left out",
    }),
  })
  .meta({ id: "SelectionComparison" });
export type SelectionComparison = z.infer<typeof selectionComparison>;
export const selectionPage = pageOf(selection).meta({ id: "SelectionPage" });
export type SelectionPage = z.infer<typeof selectionPage>;

const pace = z
  .union([z.enum(["original", "max"]), z.number().positive().max(1_000)])
  .meta({ description: "original; so many times as fast; or max: as fast as the caps allow" });

export const replayCreate = z
  .strictObject({
    deployment: z.string(),
    candidate: z.string().optional().meta({ description: "Replay to this candidate" }),
    control: z.literal(true).optional().meta({ description: "Replay to the deployment's control" }),
    target: endpointInput.optional().meta({ description: "Replay to any other V2 endpoint" }),
    selection: name.optional().meta({ description: "Name of a selection; then without a filter" }),
    filter: captureFilter.optional(),
    pace: pace.default("original"),
    concurrency: z.number().int().min(1).max(1_024).optional().meta({
      description:
        "Requests in flight at most; default 8, of a paced replay 256. Over all workers, of a paced replay in each",
    }),
    ratePerSecond: z
      .number()
      .positive()
      .max(1_000_000)
      .optional()
      .meta({ description: "Requests a second at most, over all workers; with pace max alone" }),
    onFailure: z.enum(["skip", "stop"]).default("skip"),
  })
  .refine(
    ({ candidate, control, target }) =>
      [candidate, control, target].filter((given) => given !== undefined).length === 1,
    { path: ["candidate"], error: "give one of candidate, control and target" },
  )
  .refine(({ selection, filter }) => selection === undefined || filter === undefined, {
    path: ["filter"],
    error: "belongs to the selection: give either",
  })
  .refine(({ pace, ratePerSecond }) => pace === "max" || ratePerSecond === undefined, {
    path: ["ratePerSecond"],
    error: "needs pace max: a replay that keeps a pace cannot keep a rate as well",
  })
  .meta({ id: "ReplayCreate" });
export type ReplayCreate = z.input<typeof replayCreate>;

export const replay = z
  .object({
    id: z.number().int().meta({ description: "The id of its run, for summary and comparisons" }),
    deployment: z.string(),
    candidate: z
      .string()
      .meta({ description: "Under which its comparisons are found: @control and @url too" }),
    target: z.object({ kind: z.enum(["candidate", "control", "url"]), url: z.string(), model: z.string() }),
    selection: z.string().nullable(),
    filter: captureFilter,
    policyVersion: count,
    pace,
    concurrency: count,
    ratePerSecond: z.number().nullable(),
    onFailure: z.enum(["skip", "stop"]),
    state: z.enum(replayStates),
    error: z.string().nullable(),
    captures: count.meta({ description: "Planned" }),
    ended: count.meta({ description: "Of these, with an outcome" }),
    ledger: candidateLedger,
    balanced: z.boolean().meta({ description: "captures is the sum of the ledger's terms" }),
    works: z.object({ total: count, open: count, done: count, dead: count }),
    line: z
      .object({
        lengthMs: ms.meta({ description: "From the first request to the last, as recorded" }),
        beganAt: z.number().nullable().meta({ description: "By the database's clock; moved by pauses" }),
        interruptions: count.meta({ description: "How often it stood still since no worker ran" }),
        skew: z.array(z.object({ gateway: z.string(), offsetMs: ms })).meta({
          description: "What each gateway's clock was ahead of the database's; taken out of the line",
        }),
        skewMs: ms.meta({ description: "Between the gateways that differ most" }),
      })
      .nullable()
      .meta({ description: "null: unpaced" }),
    lag: z
      .object({
        sent: count,
        p50: ms.nullable(),
        p99: ms.nullable(),
        max: ms.nullable(),
        late: count.meta({ description: "Sent more than 10 ms after their time, within 1 %" }),
        neverSent: count.meta({ description: "Overdue by more than a second: not sent" }),
        driftMs: ms.nullable().meta({
          description:
            "Median of the last tenth of the time line minus that of the first; null: not done yet",
        }),
        latencyCounts: z.boolean().meta({
          description: "false: p99 is above 50 ms, or requests were never sent, so latencies say nothing",
        }),
      })
      .nullable()
      .meta({ description: "How long after their time requests were sent; null: unpaced" }),
    createdAt: moment,
    startedAt: moment.nullable(),
    endedAt: moment.nullable(),
  })
  .meta({ id: "Replay" });
export type Replay = z.infer<typeof replay>;
export const replayPage = pageOf(replay).meta({ id: "ReplayPage" });
export type ReplayPage = z.infer<typeof replayPage>;

// ── alerts ──────────────────────────────────────────────────────────────────────────────────────────────────────

const windowMs = z
  .number()
  .int()
  .min(60_000)
  .max(7 * 86_400_000)
  .meta({
    description: "How far back; counted by the minute, so the minute in which it begins counts as a whole",
  });

const alertKind = z.enum(["diff_rate", "ledger"]).meta({
  description:
    "ledger: fires when the deployment's ledger does not balance; it has no candidate, threshold or window",
});

export const alertRuleCreate = z
  .strictObject({
    kind: alertKind.default("diff_rate"),
    name: z.string().min(1).max(128).optional(),
    deployment: z.string(),
    candidate: z.string().optional().meta({ description: "Absent: every candidate of the deployment" }),
    threshold: rate
      .optional()
      .meta({ description: "Fires when the diff rate is above it; required unless the kind is ledger" }),
    windowMs: windowMs.default(300_000),
    minSamples: z.number().int().min(1).max(1_000_000_000).default(100),
    webhookUrl: httpUrl.optional(),
    enabled: z.boolean().default(true),
  })
  .refine(({ kind, threshold }) => kind === "ledger" || threshold !== undefined, {
    path: ["threshold"],
    error: "is required: the diff rate above which it fires",
  })
  .refine(({ kind, candidate, threshold }) => kind !== "ledger" || (candidate ?? threshold) === undefined, {
    path: ["kind"],
    error: "ledger takes neither a candidate nor a threshold: it watches the deployment's account",
  })
  .meta({ id: "AlertRuleCreate" });
export type AlertRuleCreate = z.input<typeof alertRuleCreate>;

export const alertRuleUpdate = z
  .strictObject({
    name: z.string().min(1).max(128).optional(),
    threshold: rate.optional(),
    windowMs: windowMs.optional(),
    minSamples: z.number().int().min(1).max(1_000_000_000).optional(),
    webhookUrl: httpUrl.nullable().optional(),
    enabled: z.boolean().optional(),
  })
  .meta({ id: "AlertRuleUpdate" });
export type AlertRuleUpdate = z.infer<typeof alertRuleUpdate>;

export const alertRule = z
  .object({
    id: z.number().int(),
    kind: alertKind,
    name: z.string(),
    deployment: z.string(),
    candidate: z.string().nullable(),
    threshold: rate,
    windowMs: count,
    minSamples: count,
    webhookUrl: z.string().nullable(),
    enabled: z.boolean(),
    createdAt: moment,
  })
  .meta({ id: "AlertRule" });
export type AlertRule = z.infer<typeof alertRule>;
export const alertRulePage = pageOf(alertRule).meta({ id: "AlertRulePage" });
export type AlertRulePage = z.infer<typeof alertRulePage>;

export const alert = z
  .object({
    id: z.string(),
    rule: z.number().int(),
    ruleName: z.string(),
    kind: alertKind,
    deployment: z.string(),
    candidate: z.string().nullable().meta({ description: "null: it is about the deployment's ledger" }),
    run: z.number().int().nullable(),
    state: z.enum(["firing", "resolved"]),
    threshold: rate,
    diffRate: rate.nullable().meta({ description: "When it fired; null for a ledger" }),
    samples: count.nullable(),
    mismatches: count.nullable(),
    detail: z.string().nullable().meta({ description: "What was off in the ledger when it fired" }),
    startedAt: moment,
    resolvedAt: moment.nullable(),
    deliveries: z.array(
      z.object({
        id: z.string(),
        event: z.enum(["firing", "resolved"]),
        url: z.string(),
        state: z.enum(["pending", "delivered", "dead"]),
        attempts: count,
        lastError: z.string().nullable(),
        createdAt: moment,
        deliveredAt: moment.nullable(),
      }),
    ),
  })
  .meta({ id: "Alert" });
export type Alert = z.infer<typeof alert>;
export const alertPage = pageOf(alert).meta({ id: "AlertPage" });
export type AlertPage = z.infer<typeof alertPage>;

// ── gates ───────────────────────────────────────────────────────────────────────────────────────────────────────

const person = z.string().trim().min(1, "must not be empty").max(128);

export const gateCreate = gateCriteriaSchema
  .extend({
    deployment: z.string().max(128),
    candidate: z.string().max(128),
    sinceMs: z
      .number()
      .int("must be a whole number")
      .min(1_000, "must be at least 1000")
      .max(366 * 86_400_000, "must be at most 366 days")
      .optional()
      .meta({
        description:
          "Judge what was captured so lately instead of the live run: it is sealed as a selection, and replayed",
      }),
    selection: name.optional().meta({
      description: "Judge this sealed selection instead: what is needed of it is replayed to the candidate",
    }),
    fresh: z.boolean().default(false).meta({
      description:
        "Ask the candidate anew, although an earlier replay of the selection could be gone on with",
    }),
    author: person.default("unknown").meta({ description: "Who asks; nobody checks who they are" }),
  })
  .refine(({ selection, fresh }) => selection !== undefined || !fresh, {
    path: ["fresh"],
    error: "belongs to a selection: nothing else goes on with an earlier replay",
  })
  .refine(({ selection, sinceMs }) => selection === undefined || sinceMs === undefined, {
    path: ["sinceMs"],
    error: "is a selection of its own: give either sinceMs or selection",
  })
  .meta({ id: "GateCreate" });
export type GateCreate = z.input<typeof gateCreate>;

export const gateReport = gateReportSchema.meta({ id: "GateReport" });
export type GateReport = z.infer<typeof gateReport>;

export const gateItem = z
  .object({
    id: z.number().int(),
    deployment: z.string(),
    candidate: z.string(),
    run: z.number().int(),
    runKind: z.enum(["live", "replay", "rejudge"]),
    author: z.string(),
    state: z.enum(gateStates),
    verdict: z.enum(["pass", "fail", "inconclusive"]).nullable(),
    error: z.string().nullable().meta({ description: "Why there is no verdict" }),
    selection: z
      .object({
        name: z.string(),
        members: count,
        read: count.meta({ description: "Members that are finished, in the order of its seal" }),
      })
      .nullable()
      .meta({ description: "null: the live run was judged" }),
    sha256: z.string().nullable().meta({ description: "Of the report as evidence: over its canonical JSON" }),
    createdAt: moment,
    endedAt: moment.nullable(),
  })
  .meta({ id: "GateItem" });
export type GateItem = z.infer<typeof gateItem>;
export const gatePage = pageOf(gateItem).meta({ id: "GatePage" });
export type GatePage = z.infer<typeof gatePage>;

export const gate = gateItem
  .extend({
    report: gateReport.nullable(),
    standing: z
      .object({
        changed: z.array(z.enum(["model", "policy", "selection", "ledger", "report"])).meta({
          description: "What is another now than when it was judged; any of these makes the gate void",
        }),
        erased: count.meta({ description: "Requests of its set that were erased since" }),
        dropped: z.string().nullable().meta({
          description:
            "The newest UTC day of which retention dropped captures of its set: it cannot be counted again",
        }),
      })
      .nullable(),
    approvals: z.array(
      z.object({
        by: z.string(),
        reason: z.string(),
        at: moment,
        lapsed: z.string().nullable().meta({ description: "Why it does not count; null: it does" }),
      }),
    ),
  })
  .meta({ id: "Gate" });
export type Gate = z.infer<typeof gate>;

export const gateApprove = z
  .strictObject({
    by: person,
    reason: z.string().trim().min(1, "must not be empty").max(2_000),
  })
  .meta({ id: "GateApprove" });
export type GateApprove = z.input<typeof gateApprove>;

export const promotionCreate = z
  .strictObject({
    candidate: z.string().max(128),
    alias: z.enum(aliases).default("champion"),
    by: person.default("unknown"),
  })
  .meta({ id: "PromotionCreate" });
export type PromotionCreate = z.input<typeof promotionCreate>;

export const promotion = z
  .object({
    deployment: z.string(),
    candidate: z.string(),
    alias: z.enum(aliases),
    gate: z.number().int(),
    by: z.string(),
    since: moment,
  })
  .meta({ id: "Promotion" });
export type Promotion = z.infer<typeof promotion>;
export const promotionPage = pageOf(promotion).meta({ id: "PromotionPage" });
export type PromotionPage = z.infer<typeof promotionPage>;

// ── queries ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** The end of the year 9999: what lies beyond has no plain ISO 8601 form. */
const momentMax = 253_402_300_799_999;
const isoMoment = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);
/** Unix milliseconds, an ISO 8601 date and time with its offset, or a date: its midnight in UTC. */
const momentInput = z
  .string()
  .transform((text, context) => {
    const iso = isoMoment.safeParse(text).success;
    const at = /^\d{1,15}$/.test(text) ? Number(text) : iso ? Date.parse(text) : Number.NaN;
    if (at >= 0 && at <= momentMax) return at;
    context.addIssue({
      code: "custom",
      message: "must be Unix milliseconds, an ISO 8601 date and time with its offset or Z, or a date (UTC)",
    });
    return z.NEVER;
  })
  .meta({
    description:
      "Unix milliseconds; ISO 8601 date and time with an offset or Z; or a date: its midnight in UTC",
    type: "string",
  });
const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .meta({ type: "integer", minimum: min, maximum: max });

/** `name:value`; a name has no colon. */
const tagInput = z
  .string()
  .max(1024)
  .regex(/^[^:\0]+:[^\0]*$/, "must be NAME:VALUE, such as x-tenant:acme")
  .transform((text) => {
    const colon = text.indexOf(":");
    return { name: text.slice(0, colon).toLowerCase(), value: text.slice(colon + 1) };
  })
  .meta({ description: "NAME:VALUE of a tag, exactly", type: "string" });

const rangeFields = { from: momentInput.optional(), to: momentInput.optional() };
const pageFields = { limit: wholeNumber(1, 500).optional(), cursor: z.string().max(512).optional() };
const runNumber = wholeNumber(1, 999_999_999).optional();

/** A range that is empty or turned around is a mistake, and not an answer of nothing. */
const forward = ({ from, to }: { from?: number | undefined; to?: number | undefined }) =>
  from === undefined || to === undefined || from < to;
const notForward = { path: ["to"], error: "must lie after from" };

export const rangeQuery = z.strictObject(rangeFields).refine(forward, notForward);
export const pageQuery = z.strictObject(pageFields);
export const summaryQuery = z.strictObject({ run: runNumber, ...rangeFields }).refine(forward, notForward);
export const runQuery = z.strictObject({ run: runNumber });
export const signaturesQuery = z.strictObject({ run: runNumber, ...pageFields });
export const comparisonsQuery = z
  .strictObject({
    run: runNumber,
    result: z.enum(results).optional(),
    sample: sampleWord.optional(),
    output: z.string().max(1024).optional(),
    kind: z.enum(comparisonKinds).optional(),
    signature: z.string().max(1024).optional(),
    tag: tagInput.optional(),
    ...rangeFields,
    sort: z.enum(comparisonSorts).optional(),
    ...pageFields,
  })
  .refine(forward, notForward);
export type ComparisonsQuery = z.infer<typeof comparisonsQuery>;
export const replaysQuery = z.strictObject({ deployment: z.string().max(128).optional(), ...pageFields });
export const gatesQuery = z.strictObject({
  deployment: z.string().max(128).optional(),
  candidate: z.string().max(128).optional(),
  ...pageFields,
});
export const alertsQuery = z.strictObject({
  deployment: z.string().optional(),
  state: z.enum(["firing", "resolved"]).optional(),
  ...pageFields,
});

export const deadWorksQuery = z.strictObject({
  state: z.literal("dead").optional().meta({ description: "Others are not listed" }),
  deployment: z.string().optional(),
  candidate: z.string().optional(),
  ...pageFields,
});

const momentBody = z.union([moment.min(0).max(momentMax), momentInput]);

export const rejudgeCreate = z
  .strictObject({
    policy: policyBody.optional(),
    policyVersion: z.number().int().min(1).max(2_147_483_647).optional(),
    run: z
      .number()
      .int()
      .min(1)
      .max(2_147_483_647)
      .optional()
      .meta({ description: "Whose pairs; default: the newest live run" }),
    from: momentBody.optional().meta({ description: "Only segments with captures from then on" }),
    to: momentBody.optional().meta({ description: "Only segments with captures before then" }),
  })
  .refine(({ policy, policyVersion }) => (policy === undefined) !== (policyVersion === undefined), {
    path: ["policy"],
    error: "give either policy or policyVersion",
  })
  .refine(forward, notForward)
  .meta({ id: "RejudgeCreate" });
export type RejudgeCreate = z.input<typeof rejudgeCreate>;

// ── erasures ────────────────────────────────────────────────────────────────────────────────────────────────────

export const erasureCreate = z
  .strictObject({
    request: z.string().min(1).max(1_024).optional().meta({
      description: "A capture's id, a comparison's, or the x-request-id that the client sent",
    }),
    subject: z.string().min(1).max(4_096).optional().meta({
      description: "Whose requests, as they say it. It is kept as a keyed hash only",
    }),
    deployment: name.optional().meta({ description: "Default: all" }),
  })
  .refine(({ request, subject }) => (request === undefined) !== (subject === undefined), {
    path: ["request"],
    error: "give either request or subject",
  })
  .meta({ id: "ErasureCreate" });
export type ErasureCreate = z.input<typeof erasureCreate>;

const none = (what: string) => count.meta({ description: `${what}: 0` });

export const erasure = z
  .object({
    id: z.string(),
    kind: z.enum(erasureKinds),
    deployment: z.string().nullable().meta({ description: "null: all" }),
    state: z.enum(erasureStates).meta({
      description: "waiting: all that is known of is erased, and waitingFor says what may hold more",
    }),
    found: count.meta({ description: "Captures" }),
    erased: count.meta({ description: "Of them, those whose contents are gone" }),
    waitingFor: z.array(z.string()),
    error: z.string().nullable(),
    proof: z
      .object({
        at: moment,
        captures: count.meta({ description: "That were erased" }),
        left: none("Captures that were meant, and are not erased"),
        outcomes: count.meta({ description: "Of these captures, in all runs" }),
        outcomesWithContents: none("Of them, those with contents"),
        outputRows: none("Rows of their outputs"),
        segments: count.meta({ description: "Files of captures that were read back" }),
        answerFiles: count.meta({ description: "Files of candidates' answers that were read back" }),
        foundInBlobs: none("Of these captures, found in any of the files"),
        gateways: count.meta({ description: "Whose spools hold nothing that was received before" }),
      })
      .nullable()
      .meta({ description: "What was searched at the end, and found nothing" }),
    createdAt: moment,
    doneAt: moment.nullable(),
  })
  .meta({ id: "Erasure" });
export type Erasure = z.infer<typeof erasure>;
export const erasurePage = pageOf(erasure).meta({ id: "ErasurePage" });
export type ErasurePage = z.infer<typeof erasurePage>;
