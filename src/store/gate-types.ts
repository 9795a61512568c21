import type { Policy } from "../compare/policy.js";
import type { Verdict } from "../stats/verdict.js";
import type { GateSets } from "./gate-sets.js";
import type { GateTurns } from "./gate-turns.js";
import type { SelectionReads } from "./selection-reads.js";
import type { RunKind } from "./types.js";

export const gateStates = ["running", "done", "cancelled", "failed"] as const;
export type GateState = (typeof gateStates)[number];

/** What a run pins, or what is in force for a candidate, as far as a gate's evidence names it. */
export interface GatePins {
  model: { url: string; name: string; version: string | null; sha256: string | null; metadata: unknown };
  policy: { version: number; sha256: string; body: Policy };
}

export interface GateApproval {
  by: string;
  reason: string;
  /** Of the evidence that was approved. */
  sha256: string;
  atMs: number;
}

export interface GateSelection {
  id: number;
  name: string;
  sha256: string;
  members: number;
  read: number;
  /** How many of them the newest look saw. */
  looked: number;
}

export interface StoredGate {
  id: number;
  deployment: string;
  candidate: string;
  candidateId: number;
  runId: number;
  runKind: RunKind;
  author: string;
  state: GateState;
  verdict: Verdict | null;
  /** Why there is no verdict. */
  error: string | null;
  request: unknown;
  /** Of a gate over a sealed selection: which, and how many of its members are finished, in the order of its seal. */
  selection: GateSelection | null;
  /** A `GateReport` as JSON; null: not done. */
  report: unknown;
  sha256: string | null;
  workIds: bigint[];
  createdAtMs: number;
  endedAtMs: number | null;
  approvals: GateApproval[];
}

export interface NewGate {
  deploymentId: number;
  candidateId: number;
  runId: number;
  author: string;
  request: unknown;
  /** Default: none, but the live run. */
  selectionId?: number;
}

export interface GateEnd {
  verdict: Verdict;
  report: unknown;
  sha256: string;
  workIds: readonly bigint[];
  /** Of a selection: how many of its members it was judged by. */
  read?: number;
}

export interface Gates extends GateSets, SelectionReads, GateTurns {
  pins(runId: number): Promise<GatePins>;
  /** The candidate's revision now, and the policy in force. */
  inForce(candidateId: number): Promise<GatePins>;
  create(gate: NewGate): Promise<number>;
  /** Ends a running gate with a verdict. False: it had ended. */
  finish(id: number, end: GateEnd): Promise<boolean>;
  /** Ends a running gate without one. False: it had ended. */
  giveUp(id: number, state: "cancelled" | "failed", error: string): Promise<boolean>;
  /** @throws UnderstudyError `not_found` */
  get(id: number): Promise<StoredGate>;
  /** Newest first, `before` that id. Without their reports. */
  list(query: GateQuery): Promise<StoredGate[]>;
  /** The candidate's gate that ended last with a verdict, whenever it began; null: there is none. */
  newestDone(candidateId: number): Promise<StoredGate | null>;
  /** Of the run's gate that ended last with one. */
  verdictOf(runId: number): Promise<Verdict | null>;
  approve(id: number, approval: Pick<GateApproval, "by" | "reason" | "sha256">): Promise<void>;
}

export interface GateQuery {
  deployment: string | null;
  candidate: string | null;
  before: number | null;
  limit: number;
}
