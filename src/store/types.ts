/**
 * What the store takes and gives. No Prisma type leaves `src/store`: times are Unix milliseconds, ids of rows that
 * only grow are numbers, and a work's id is a bigint.
 */
import type { KeepAnswers } from "../answers/keeping.js";
import type { Sample } from "../capture/capture.js";
import type { CaptureSettings } from "../capture/settings.js";
import type { Disposition, Fact } from "../compare/facts.js";
import type { OutputComparison, Result } from "../compare/types.js";
import type { ApprovalRule } from "../gate/standing.js";
import type { Redaction } from "../redaction/settings.js";
import type { FlowChange, FlowSettings } from "../replay/flow.js";
import type { Sketch } from "../stats/sketch.js";
import type { Endpoint, PrimaryEndpoint } from "../upstream/endpoint.js";
import type { ReplayState } from "./replay-types.js";

/** A span of time, `from` included, `to` not; null: unbounded. Read by whole minutes, widened to their bounds. */
export interface TimeRange {
  fromMs: number | null;
  toMs: number | null;
}

// --- registry ------------------------------------------------------------------------------------------------

export interface Deployment {
  id: number;
  name: string;
  primary: PrimaryEndpoint;
  control: Endpoint | null;
  /** Share of requests in the base sample, 0 to 1. */
  sampleRate: number;
  captureEnabled: boolean;
  capture: CaptureSettings;
  /** What is taken out of captures before anything is written. */
  redaction: Redaction;
  /** Which of the candidates' answers are kept. */
  keepAnswers: KeepAnswers;
  /** Share of the matches whose outputs are kept, 0 to 1. */
  keepMatchDetails: number;
  /** Quota of kept answers, by UTC day of their captures. */
  answersBytesPerDay: number;
  /** Whose approval a promotion takes. */
  gateApproval: ApprovalRule;
  /** Told of a promotion before it counts; null: nobody is. */
  promoteUrl: string | null;
  /** Raised by every change of the deployment, its candidates or its policy. */
  revision: number;
  /** The policy in force. */
  policy: Policy;
  createdAtMs: number;
  updatedAtMs: number;
}

export interface NewDeployment {
  name: string;
  primary: PrimaryEndpoint;
  control: Endpoint | null;
  sampleRate: number;
  captureEnabled: boolean;
  /** Default: the base sample alone. */
  capture?: Partial<CaptureSettings>;
  /** Default: nothing is. */
  redaction?: Redaction;
  /** Default: all. */
  keepAnswers?: KeepAnswers;
  /** Default: 1. */
  keepMatchDetails?: number;
  /** Default: 2 GiB. */
  answersBytesPerDay?: number;
  /** Default: none. */
  gateApproval?: ApprovalRule;
  promoteUrl?: string | null;
  /** Body of policy version 1. */
  policy: unknown;
}

/** What may change; an absent field stays. */
export type DeploymentChange = Partial<
  Pick<
    Deployment,
    | "primary"
    | "control"
    | "sampleRate"
    | "captureEnabled"
    | "redaction"
    | "keepAnswers"
    | "keepMatchDetails"
    | "answersBytesPerDay"
    | "gateApproval"
    | "promoteUrl"
  >
> & { capture?: Partial<CaptureSettings> };

export interface Policy {
  id: number;
  version: number;
  body: unknown;
  createdAtMs: number;
}

export interface Candidate {
  id: number;
  deploymentId: number;
  name: string;
  /** `target`: none that was registered, but the control or any other endpoint of a replay. */
  state: "active" | "retired" | "target";
  endpoint: Endpoint;
  /** Digest of the model file where we serve it ourselves. */
  sha256: string | null;
  /** The endpoint's own model metadata when it was pinned. */
  metadata: unknown;
  /** How it is loaded. */
  flow: FlowSettings;
  /** Workers that leave it alone, since it does not answer: since when, until when, and why. */
  breaker: BreakerView | null;
  /** The newest live run: the open one while the candidate is active. Of a `target`: its newest replay. */
  liveRunId: number;
  createdAtMs: number;
  updatedAtMs: number;
}

/** What the workers say that found a candidate away. */
export interface BreakerView {
  /** The first of them. */
  openedAtMs: number;
  /** When it is asked again next. */
  retryAtMs: number;
  reason: string;
  workers: number;
}

export interface NewCandidate {
  name: string;
  endpoint: Endpoint;
  sha256: string | null;
  metadata: unknown;
  /** It is another revision although nothing about it says so. */
  newRevision?: boolean;
  /** Default: as it was, or the defaults. */
  flow?: FlowChange;
  /** Default: its live run takes what is captured from now on. */
  backfill?: Backfill;
}

/** Which catalogued segments a new live run takes as well. */
export interface Backfill {
  /** Segments with captures since then; null: all there are. */
  sinceMs: number | null;
  /** The newest so many captures, by whole segments. */
  capturesMax: number;
}

export type RunKind = "live" | "replay" | "rejudge";

export interface Run {
  id: number;
  kind: RunKind;
  deploymentId: number;
  candidateId: number;
  modelVersionId: number;
  policyVersion: number;
  /** Of a rejudge: the run whose pairs it judges again. */
  sourceRunId: number | null;
  /** `open`: it takes each new segment. */
  state: "open" | "closed";
  openedAtMs: number;
  closedAtMs: number | null;
}

/** What a gateway needs to know. It keeps its last copy, so that it needs no store to serve. */
export interface GatewayConfig {
  /** The switch for all deployments. */
  captureEnabled: boolean;
  deployments: {
    id: number;
    name: string;
    primary: PrimaryEndpoint;
    sampleRate: number;
    captureEnabled: boolean;
    capture: CaptureSettings;
    redaction: Redaction;
  }[];
}

// --- catalogue: segments, captures and the gateways' account --------------------------------------------------

/** A gateway's account of the requests of one deployment received in one minute. Cumulative over its epoch. */
export interface LedgerMinute {
  deploymentId: number;
  /** Start of the minute of receipt, Unix milliseconds. */
  minuteMs: number;
  received: number;
  inFlight: number;
  sampledOut: number;
  /** Handed over before the cut and not yet in a catalogued segment. */
  buffered: number;
  lost: number;
  notEligible: Record<string, number>;
  dropped: Record<string, number>;
  /** Of all bodies that went through, captured or not. */
  requestBytes: number;
  responseBytes: number;
}

/**
 * The account of one gateway at one exact point: everything before it was counted, nothing after it. Holds the
 * minutes that changed since the cut before.
 */
export interface LedgerCut {
  /** UUID of this life of the gateway process. */
  epoch: string;
  /** Name of the gateway, for people. */
  gateway: string;
  startedAtMs: number;
  /** Number of the cut within its epoch: grows with every cut. An older cut never overwrites a newer one. */
  sequence: number;
  cutAtMs: number;
  /** The gateway's wall clock minus Postgres' clock. */
  clockOffsetMs: number;
  /** `settled`: written after a crash, by the next epoch. */
  state: "live" | "closed" | "settled";
  counts: LedgerMinute[];
}

/** A segment that lies in the blob store, about to be catalogued. */
export interface CatalogueSegment {
  /** UUID, fixed when its spool file was opened: sending it again changes nothing. */
  id: string;
  deploymentId: number;
  /** UTC day of all its captures, `YYYY-MM-DD`. */
  day: string;
  gatewayEpoch: string;
  blobKey: string;
  sha256: string;
  /** Length of the blob. */
  bytes: number;
}

/** The catalogue's row of one capture. Bodies stay in the segment. */
export interface CaptureRow {
  /** UUIDv7. */
  id: string;
  /** Index of its row in the segment's file. */
  row: number;
  receivedAtMs: number;
  /** `http-json` or `http-binary`. */
  transport: string;
  primaryVersion: string;
  status: number;
  primaryMs: number;
  requestBytes: number;
  responseBytes: number;
  sample: Sample;
  /** Of a targeted capture, the rule that added it; else empty. */
  rule: string;
  tags: Readonly<Record<string, string>>;
  /** What was redacted before it was written, as `RedactedExchange` has it. */
  redacted: readonly string[];
  /** Keyed hash of whose request it is. */
  subject: string | null;
}

/** A body that lies in the blob store under its hash. */
export interface StoredBody {
  /** SHA-256, in hexadecimal digits. */
  sha256: string;
  bytes: number;
  /** How often the segment refers to it. */
  refs: number;
}

export interface SegmentCommit {
  segment: CatalogueSegment;
  captures: readonly CaptureRow[];
  /** Bodies that are not in the segment itself, each once. */
  bodies: readonly StoredBody[];
  /** The gateway's newest cut, whose `buffered` no longer counts this segment. */
  cut: LedgerCut;
}

export interface SegmentCommitted {
  /** One work for each open live run of the deployment: the jobs to add. Ascending. */
  workIds: bigint[];
  /** Those of them that the queue has room for; the others wait in Postgres until it has. */
  toQueue: bigint[];
  /** Bodies, by hash, that may have been deleted since they were put: nothing had referred to them any more. */
  revivedBodies: string[];
  /** An earlier sending of this segment had gone through. */
  alreadyThere: boolean;
}

// --- work ----------------------------------------------------------------------------------------------------

/** What can be known of a work before it is taken up, without touching it. */
export interface WorkSight {
  deploymentName: string;
  candidateName: string;
  runKind: RunKind;
  modelVersionId: number;
  /** Taken up now, it would have stalled so often. */
  stalls: number;
  /** It is a part of a work that stalled twice. */
  suspect: boolean;
  /** Requests that the candidate may be sent at a time. */
  concurrency: number;
  /** From when none of its captures is to be replayed any more; null: never. */
  expiresAtMs: number | null;
}

/** A work in hand, with all that is needed to do it. */
export interface LeasedWork {
  id: bigint;
  /** Fencing token: the commit goes through only while it is the newest. */
  lease: number;
  /** How often an earlier lease of this work ran out. */
  stalls: number;
  /** It is a part of a work that stalled twice. */
  suspect: boolean;
  /** It was made for captures older than its run. */
  backfill: boolean;
  runId: number;
  runKind: RunKind;
  deploymentId: number;
  deploymentName: string;
  candidateId: number;
  candidateName: string;
  modelVersionId: number;
  /** How the candidate is loaded. */
  flow: FlowSettings;
  endpoint: Endpoint;
  sha256: string | null;
  control: Endpoint | null;
  /** Body of the policy version that the run pins. */
  policy: unknown;
  keepAnswers: KeepAnswers;
  keepMatchDetails: number;
  answersBytesPerDay: number;
  /** What is in force now; captures may have been made under another. */
  redaction: Redaction;
  /** Of a rejudge: whose pairs are judged again; null for any other. */
  source: RejudgeSource | null;
  /** `day`: the UTC day of all its captures, `YYYY-MM-DD`. */
  segment: { id: string; blobKey: string; sha256: string; deploymentId: number; day: string };
  /** First row of the segment's file, and how many. */
  firstRow: number;
  rows: number;
  /** Of these rows, those that are meant and not erased, ascending; null: all. */
  rowList: readonly number[] | null;
  /** Those that are meant, and erased. */
  erasedRows: readonly number[];
  /** Of a replay, its terms; null for any other. */
  replay: ReplayTerms | null;
}

/** How the requests of a replay's work are to be sent. */
export interface ReplayTerms {
  state: ReplayState;
  target: "candidate" | "control" | "url";
  /** Times the recorded pace; null: as fast as allowed. */
  speed: number | null;
  /** Requests in flight at most, over all works. */
  concurrency: number;
  ratePerSecond: number | null;
  onFailure: "skip" | "stop";
  /** Where the recorded time line begins, by Postgres' clock. */
  originMs: number;
  /** What the clock of the captures' gateway was ahead of Postgres' clock. */
  skewMs: number;
}

/** What a rejudge reads: a run, and the answers that were kept of it for the work at hand. */
export interface RejudgeSource {
  runId: number;
  answers: { key: string; sha256: string } | null;
}

// --- outcomes ------------------------------------------------------------------------------------------------

export type { Disposition };

/** How one capture ended in one run. Numbers may be NaN or infinite; Postgres keeps them. */
export interface OutcomeRow {
  captureId: string;
  /** The capture's `receivedAtMs`. */
  capturedAtMs: number;
  sample: Sample;
  disposition: Disposition;
  /** Failure kind of a candidate_error, reason of a not_replayed. */
  reason: string | null;
  result: Result | null;
  kind: string | null;
  signature: string | null;
  /** null: no output declares a decision. */
  flip: boolean | null;
  primaryVersion: string;
  primaryMs: number;
  candidateMs: number | null;
  /** null: the control was not asked; Infinity: it was, and gave no answer. */
  controlMs: number | null;
  /** Of a paced replay, how long after its time it was sent; absent: it was not, or there was none. */
  lateMs?: number | null;
  /** How often the candidate was asked. */
  attempts: number;
  maxAbs: number | null;
  maxRel: number | null;
  /** Anything more to show of it, as JSON. */
  details: unknown;
  outputs: readonly OutputComparison[];
  facts: readonly Fact[];
}

export interface WorkCommit {
  workId: bigint;
  lease: number;
  judgedAtMs: number;
  rows: readonly OutcomeRow[];
  /** The blob of the candidate's answers, if they were kept. */
  answers?: KeptAnswers | null;
  /** Rows of the work that were not done: they become a work of their own. */
  rest?: WorkRest | null;
}

export interface WorkRest {
  /** Ascending; never empty. */
  rows: readonly number[];
  /** Those that were done: ascending, and never empty either. */
  kept: readonly number[];
  /** Of a paced replay: the place of its first request on the recorded time line. */
  dueMs: number | null;
}

/** A blob of candidate's answers. */
export interface KeptAnswers {
  key: string;
  sha256: string;
  /** Length of the blob. */
  bytes: number;
  /** Answers in it. */
  count: number;
}

/** How one capture had ended in an earlier run: what a rejudge sets its own outcome against. */
export interface EarlierOutcome {
  disposition: Disposition;
  result: Result | null;
  flip: boolean | null;
  outputs: readonly Pick<OutputComparison, "output" | "result" | "kind">[];
}

// --- read models ---------------------------------------------------------------------------------------------

/** The counts of one series of a run, which is a counter or a sketch; the other is empty. */
export interface SeriesCounts {
  /** By label. */
  counts: ReadonlyMap<string, number>;
  sketch: Sketch;
  /** Largest value of the series; null when it holds none. */
  max: number | null;
}

export interface CandidateLedger {
  compared: number;
  candidateError: Record<string, number>;
  notReplayed: Record<string, number>;
  expired: number;
  dead: number;
  erased: number;
  pending: number;
}

/** The account of every request of a deployment: the JSON of the API. */
export interface Ledger {
  received: number;
  inFlight: number;
  sampledOut: number;
  notEligible: Record<string, number>;
  dropped: Record<string, number>;
  lost: number;
  buffered: number;
  captured: number;
  /** By candidate, of its live run. */
  candidates: Record<string, CandidateLedger>;
  balanced: boolean;
}

/** A sum of a ledger that does not come out. */
export interface Imbalance {
  /**
   * - `received`: requests, against what became of them.
   * - `assigned`: captures, against those a live run has work for or came too late for.
   * - `ended`: captures a run has work for, against what became of them and what is still pending.
   */
  sum: "received" | "assigned" | "ended";
  /** null: the sum is the deployment's own. */
  candidate: string | null;
  run: number | null;
  /** How many the terms fall short of the total; negative: something was counted twice. */
  offBy: number;
}
