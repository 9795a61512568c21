import type { CaptureFilter } from "../selections/filter.js";
import type { Endpoint } from "../upstream/endpoint.js";

export const replayStates = ["planned", "running", "paused", "done", "cancelled", "failed"] as const;
export type ReplayState = (typeof replayStates)[number];

/** States that a replay does not leave again. */
export const endStates: ReadonlySet<ReplayState> = new Set(["done", "cancelled", "failed"]);

/** What the requests go to. */
export type ReplayTarget =
  | { kind: "candidate"; name: string }
  | { kind: "control" | "url"; endpoint: Endpoint; metadata: unknown };

export interface NewReplay {
  deployment: string;
  target: ReplayTarget;
  /** A selection by its name; its own filter counts then. */
  selection?: string | undefined;
  filter: CaptureFilter;
  /** Times the recorded pace; null: as fast as allowed. */
  speed: number | null;
  /** Requests in flight at most. */
  concurrency: number;
  /** null: no cap. */
  ratePerSecond: number | null;
  /** After the first failure of the target: go on, or end. */
  onFailure: "skip" | "stop";
  /** Begun by a gate: it goes on while a gate needs more of it, and stands still else. */
  forGate?: boolean;
}

/** A replay: the terms and the state of a run of kind `replay`, by whose id it goes. */
export interface Replay {
  runId: number;
  deploymentId: number;
  deployment: string;
  /** Under which its comparisons are found: the candidate's; `@control`; or `@url`. */
  candidate: string;
  target: { kind: ReplayTarget["kind"]; url: string; model: string };
  selection: string | null;
  filter: CaptureFilter;
  policyVersion: number;
  speed: number | null;
  concurrency: number;
  ratePerSecond: number | null;
  onFailure: "skip" | "stop";
  state: ReplayState;
  /** Why it failed. */
  error: string | null;
  /** How many captures were planned. */
  captures: number;
  /** Captures in works that are still to be done. */
  pending: number;
  /** Captures that will not be done since it was ended before. */
  cancelled: number;
  works: { total: number; open: number; done: number; dead: number };
  lengthMs: number;
  /** By Postgres' clock, when the time line began; null: not yet, or there is none. */
  lineAtMs: number | null;
  interruptions: number;
  createdAtMs: number;
  startedAtMs: number | null;
  endedAtMs: number | null;
}
