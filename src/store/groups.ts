/** What each group of the store can do; `createStore` puts them together. */
import type { FlowChange } from "../replay/flow.js";
import type {
  Candidate,
  Deployment,
  DeploymentChange,
  GatewayConfig,
  Imbalance,
  LeasedWork,
  Ledger,
  LedgerCut,
  NewCandidate,
  NewDeployment,
  Policy,
  Run,
  SegmentCommit,
  SegmentCommitted,
  SeriesCounts,
  TimeRange,
  WorkCommit,
  WorkSight,
} from "./types.js";

/** Deployments, candidates, policies and the runs they open. Throws `not_found` and `conflict`. */
export interface Registry {
  createDeployment(deployment: NewDeployment): Promise<Deployment>;
  /** Throws `conflict` when another deployment has this name, or a primary of this model. */
  refuseTaken(name: string, model: string): Promise<void>;
  updateDeployment(name: string, change: DeploymentChange): Promise<Deployment>;
  getDeployment(name: string): Promise<Deployment>;
  /** All, by name. */
  listDeployments(): Promise<Deployment[]>;
  /**
   * Registers a candidate, or registers it again: the same endpoint, headers and digest, or where there is
   * none description, change nothing; any other is a new model version, so its live run is closed and another opened.
   */
  addCandidate(deployment: string, candidate: NewCandidate): Promise<Candidate>;
  /** How a candidate is loaded; its run goes on. Absent fields stay. */
  changeCandidate(deployment: string, name: string, change: { flow: FlowChange }): Promise<Candidate>;
  getCandidate(deployment: string, name: string): Promise<Candidate>;
  /** All of one deployment, by name. */
  listCandidates(deployment: string): Promise<Candidate[]>;
  /** The policy in force, if it is the same; else a new version, and new live runs for all active candidates. */
  setPolicy(deployment: string, body: unknown): Promise<Policy>;
  getRun(id: number): Promise<Run>;
  /** All runs of a candidate, newest first. */
  listRuns(candidateId: number): Promise<Run[]>;
  gatewayConfig(): Promise<GatewayConfig>;
  /** What time it is on the database's clock, Unix milliseconds. */
  clockMs(): Promise<number>;
}

export interface Catalogue {
  /**
   * Catalogues a segment, its captures and their counts, opens the work for every open live run and takes over the
   * cut: all of it or nothing, in one statement. Sent again, it changes nothing and returns the same work ids.
   * @throws UnderstudyError `not_found` when the deployment is gone.
   */
  commitSegment(commit: SegmentCommit): Promise<SegmentCommitted>;
  /** How many captures of each minute are in a segment; null: it is not catalogued. */
  capturesOf(segmentId: string): Promise<ReadonlyMap<number, number> | null>;
  /** Takes over a cut on its own. An older one changes nothing. */
  shipCut(cut: LedgerCut): Promise<void>;
}

export interface WorkStore {
  /** Looks at a work that can be taken up now; null for any other. */
  sight(workId: bigint): Promise<WorkSight | null>;
  /** Takes up a work that is pending, or whose lease ran out; null for any other. */
  lease(workId: bigint, by: string, leaseMs: number): Promise<LeasedWork | null>;
  /** Whether a work is still to be done: pending, or in somebody's hands. */
  isOpen(workId: bigint): Promise<boolean>;
  /**
   * One of the oldest works of the live run of this one that are queued and in nobody's hands; null: there is none, or
   * the run is no live one.
   */
  waitingBeside(workId: bigint): Promise<bigint | null>;
  /** False: the lease was lost, and the work is another's. */
  extend(workId: bigint, lease: number, leaseMs: number): Promise<boolean>;
  /** Hands the work back, to be queued again by the reconciler. False: the lease was lost. */
  release(workId: bigint, lease: number): Promise<boolean>;
  /**
   * After `rewritten`: the lease is good for what is left of the segment. Returns the work's rows that are erased; null:
   * the lease was lost.
   */
  renew(workId: bigint, lease: number): Promise<number[] | null>;
  /** Parts a work in two halves and hands them back; null: the lease was lost, or it has but one row. */
  split(workId: bigint, lease: number): Promise<[bigint, bigint] | null>;
  /** Gives the work up: each of its captures without an outcome ends as `dead`. False: the lease was lost, or something of its segment erased. */
  markDead(workId: bigint, lease: number, error: string): Promise<boolean>;
  /**
   * Works that are to be queued: those that the queue should hold and may have lost (enqueued longer ago than
   * `olderThanMs`, or with a lease that ran out since), and those that wait in Postgres, as far as there is room in the
   * queue, the runs in turn. Marks them as enqueued now. Two callers at a time get different ones. Each kind of run
   * has a queue of its own; those of replays are queued by `Replays.conduct`, when their time has come.
   */
  dueForQueue(options: { limit: number; olderThanMs: number; kind: "live" | "rejudge" }): Promise<bigint[]>;
}

export interface Outcomes {
  /**
   * Ends a work, in one statement: checks the lease, inserts the outcomes that are not there yet with their diffs,
   * counts the facts of those that went in. Sent again under the same lease it says `committed` and changes nothing.
   * `rewritten`: something of the segment was erased since it was leased, and nothing was written; see `WorkStore.renew`.
   */
  commitWork(commit: WorkCommit): Promise<"committed" | "lease_lost" | "rewritten">;
}

export interface Rollups {
  /**
   * Counts of a run's comparisons, by series, over the minutes in which they were captured. A range is widened to whole
   * minutes, or to what is kept where it begins or ends.
   */
  summary(runId: number, range: TimeRange): Promise<Map<string, SeriesCounts>>;
  /** Of dispositions, results and decisions, the same over the minutes in which they were judged, from `sinceMs` on. */
  window(runId: number, sinceMs: number): Promise<Map<string, SeriesCounts>>;
  /** Folds deltas, of comparisons and of the ledger's account, into rollups, until none are left. Returns how many; 0 as well while another process folds. */
  compact(): Promise<number>;
  /** Drops rollups of minutes and of hours that are older than so many days; coarser ones stay. Returns how many. */
  dropFine(keep: { minuteDays: number; hourDays: number }): Promise<number>;
}

export interface LedgerReader {
  /** The account of one deployment, read in one statement: one snapshot. */
  read(deploymentId: number, range: TimeRange): Promise<Ledger>;
  /** The sums that do not come out, over all time: those of `read`, and of replays that are not ended for a week yet. */
  imbalances(deploymentId: number): Promise<Imbalance[]>;
}
