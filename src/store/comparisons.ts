import type { Sample } from "../capture/capture.js";
import type { Policy } from "../compare/policy.js";
import type { DifferenceKind, Result } from "../compare/types.js";
import type { ComparisonId } from "../ids.js";
import type { Datatype } from "../tensor/tensor.js";
import type { PrismaClient } from "./client.js";
import { readComparison } from "./comparison-detail.js";
import { listComparisons } from "./comparison-list.js";
import type { Disposition } from "./types.js";

/** One comparison, as a row of a table. Times are Unix milliseconds. */
export interface ComparisonRow extends ComparisonId {
  capturedAtMs: number;
  judgedAtMs: number;
  sample: Sample;
  disposition: Disposition;
  reason: string | null;
  result: Result | null;
  kind: string | null;
  signature: string | null;
  flip: boolean | null;
  primaryVersion: string;
  primaryMs: number;
  candidateMs: number | null;
  controlMs: number | null;
  maxAbs: number | null;
  maxRel: number | null;
}

/** What the rows of a table can be sorted by. Those without the number are left out, except by time: all have it. */
export type ComparisonSort = "capturedAt" | "maxAbs" | "candidateMs";

/** A row of a table, with what its outputs came to. */
export interface ListedComparison extends ComparisonRow {
  /** Names of the outputs that mismatch. */
  mismatching: string[];
  /** Outputs whose declared decision changed, with what it was and became. */
  flips: { output: string; from: string; to: string }[];
}

export interface ComparisonQuery {
  runId: number;
  result: Result | null;
  sample: Sample | null;
  /** Only comparisons with this output; `result` and `kind` are then asked of the output. */
  output: string | null;
  kind: string | null;
  signature: string | null;
  /** Only of captures that carry this tag. */
  tag: { name: string; value: string } | null;
  fromMs: number | null;
  toMs: number | null;
  sort: ComparisonSort;
  descending: boolean;
  limit: number;
  /** The sort's value and the capture of the last row of the page before. */
  after: { value: number; captureId: string } | null;
}

/** One output of one comparison, as it was stored. */
export interface OutputRow {
  output: string;
  result: Exclude<Result, "incomparable">;
  kind: DifferenceKind | null;
  datatype: Datatype | null;
  shape: number[];
  elements: number;
  mismatches: number;
  maxAbs: number | null;
  maxRel: number | null;
  meanAbs: number | null;
  rmse: number | null;
  cosine: number | null;
  nonFinitePrimary: number;
  nonFiniteCandidate: number;
  flip: boolean | null;
  decisionFrom: string | null;
  decisionTo: string | null;
  /** As `outcomes` wrote it: what is shown of an output but never searched. */
  details: unknown;
}

/** Where the bodies of a capture lie. */
export interface CaptureLocation {
  blobKey: string;
  sha256: string;
  /** Index of its row in the segment's file. */
  row: number;
}

export interface ComparisonFull extends ComparisonRow {
  deployment: string;
  candidate: string;
  /** That of its run. */
  policy: { version: number; body: Policy };
  /** As the replay wrote them: attempts, a failure's message, differences of parameters. */
  details: unknown;
  /** null: the catalogue does not have the capture. */
  capture: {
    transport: string;
    status: number;
    /** Of a targeted capture, the rule that added it; else empty. */
    rule: string;
    requestBytes: number;
    responseBytes: number;
    tags: Record<string, string>;
    /** What was redacted: `input:NAME`, `header:NAME`, … */
    redacted: string[];
    location: CaptureLocation;
  } | null;
  /** Where the candidate's answer lies, if it was kept at all; a rejudge's is that of its source run. */
  answers: { key: string; sha256: string } | null;
  outputs: OutputRow[];
}

export interface Comparisons {
  /** A page of a run's comparisons. */
  list(query: ComparisonQuery): Promise<ListedComparison[]>;
  get(id: ComparisonId): Promise<ComparisonFull | null>;
}

export function createComparisons(prisma: PrismaClient): Comparisons {
  return {
    list: (query) => listComparisons(prisma, query),
    get: (id) => readComparison(prisma, id),
  };
}
