import type { SequencePlace } from "./record.js";

/** How a request reached its model. Captures keep raw bytes and content headers, so another transport can be added. */
export type Transport = "http";

/** Drawn by the one coin at the gateway (`base`), or added by a rule (`targeted`). Verdicts use the base sample only. */
export type Sample = "base" | "targeted";

/**
 * One exchange as recorded: the request, the primary's answer, timing and tags. The unit inside a segment; one row
 * of its Parquet file. Headers are allow-listed (lower-case names): content headers, and those chosen as tags.
 */
export interface Capture {
  /** UUIDv7 that carries `receivedAtMs`. */
  id: string;
  /** Number of this request in its gateway's epoch: ties it to the ledger. */
  sequence: number;
  deploymentId: number;
  /** Unix milliseconds, wall clock of the gateway, when the request's head had arrived. */
  receivedAtMs: number;
  transport: Transport;
  method: string;
  /** As received, without its query, which nobody asked to be kept. */
  path: string;
  requestHeaders: Readonly<Record<string, string>>;
  requestBody: Uint8Array;
  /** Status of the primary's answer. */
  status: number;
  responseHeaders: Readonly<Record<string, string>>;
  responseBody: Uint8Array;
  /** Monotonic: first byte sent to the primary until its last byte received. */
  primaryMs: number;
  /** The version that answered, from the response; empty when it named none. */
  primaryVersion: string;
  sample: Sample;
  /** Of a targeted capture, the rule that added it; else empty. */
  rule: string;
  /** Where in a sequence it stands; null: in none. A sequence lies whole in one segment. */
  sequencePlace: SequencePlace | null;
  tags: Readonly<Record<string, string>>;
  /** What was redacted before it was written: `input:NAME`, `output:NAME`, `parameter:NAME`, `json:PATH`, … */
  redacted: readonly string[];
  /** Keyed hash of whose request it is; null: it is not known. */
  subject: string | null;
}

/** Why a request was not captured although its deployment was sampled: it never could have been. */
export const notEligibleReasons = [
  "parse",
  "shared_memory",
  "sequence",
  "sequence_incomplete",
  "framing",
  "content_coding",
] as const;
export type NotEligibleReason = (typeof notEligibleReasons)[number];

/** Why a capture that should have been made was given up. */
export const dropReasons = [
  "buffer_full",
  "too_large",
  "client_abort",
  "early_answer",
  "primary_failed",
  "spool_full",
  "spool_error",
  "redaction",
  "capture_off",
] as const;
export type DropReason = (typeof dropReasons)[number];
