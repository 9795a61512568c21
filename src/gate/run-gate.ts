import { messageOf, UnderstudyError } from "../errors.js";
import { minuteOf } from "../ids.js";
import type { FrozenSet } from "../store/gate-sets.js";
import type { Store } from "../store/store.js";
import type { Candidate, Deployment } from "../store/types.js";
import type { GateCriteria } from "./criteria.js";
import { digestOf } from "./evidence.js";
import { judgeGate } from "./judge.js";
import type { GateReport } from "./report.js";
import { reportOf } from "./report-of.js";
import { finishedOf, type GateSample, type LatencyPairs, type SetCounts, sum } from "./set.js";

/** Pairs of latencies that are judged; beyond that, every so manieth. */
const pairsMax = 100_000;
/** Points of a curve over time. */
const stretchesMax = 60;
/** Segments in a set: a gate of a month of heavy traffic is better made of a selection. */
const worksMax = 500_000;
/** What waited for longer than this was not on its way: see `freeze`. */
const patienceMs = 60_000;

export interface GateRequest {
  deployment: string;
  candidate: string;
  criteria: GateCriteria;
  /** How far back from now. */
  sinceMs: number;
  author: string;
}

type Deps = { store: Pick<Store, "registry" | "gates" | "ledger"> };

/**
 * Judges what a candidate's newest live run has come to, and stores it with its evidence. The set is frozen at the
 * start; nothing is waited for.
 *
 * @returns the gate's id
 * @throws UnderstudyError `not_found`; `conflict` when nothing can be said, since the candidate was down
 */
export async function runLiveGate({ store }: Deps, request: GateRequest): Promise<number> {
  const deployment = await store.registry.getDeployment(request.deployment);
  const candidate = await store.registry.getCandidate(request.deployment, request.candidate);
  const runId = candidate.liveRunId;
  const { criteria, sinceMs, author } = request;
  const id = await store.gates.create({
    deploymentId: deployment.id,
    candidateId: candidate.id,
    runId,
    author,
    request: { criteria, sinceMs },
  });
  try {
    const set = await store.gates.freeze(runId, sinceMs);
    requireBounded(set);
    const report = await judgeSet(store, { deployment, candidate, set, criteria, author });
    await store.gates.finish(id, {
      verdict: report.verdict,
      report,
      sha256: digestOf(report),
      workIds: set.workIds,
    });
    return id;
  } catch (error) {
    await store.gates.giveUp(id, "failed", messageOf(error));
    throw error;
  }
}

async function judgeSet(
  store: Deps["store"],
  gate: {
    deployment: Deployment;
    candidate: Candidate;
    set: FrozenSet;
    criteria: GateCriteria;
    author: string;
  },
): Promise<GateReport> {
  const { deployment, candidate, set, criteria, author } = gate;
  const counts: SetCounts = { captured: set.captured, ...(await store.gates.counts(set)) };
  refuseDown(candidate.name, counts);
  const ledger = await store.ledger.read(deployment.id, { fromMs: set.fromMs, toMs: set.frozenAtMs });
  const latency = await latencyOf(store, set, criteria);
  const waiting = set.waiting + (await bufferedLong(store, deployment.id, set));
  const sample: GateSample = {
    counts,
    waiting,
    remaining: Number.POSITIVE_INFINITY,
    balanced: ledger.balanced,
    latency: latency?.judged === true ? latency.pairs : null,
  };
  return reportOf({
    deployment: deployment.name,
    candidate: candidate.name,
    author,
    criteria,
    run: { id: set.runId, kind: "live" },
    pins: await store.gates.pins(set.runId),
    set,
    sample,
    judgement: judgeGate(criteria, sample),
    ledger,
    latency,
    timeline: await store.gates.timeline(set, stretchesMax),
    outputs: await store.gates.outputErrors(set),
    worst: await store.gates.worst(set),
  });
}

/** Latencies to show, and whether they are to be judged by. */
export interface SeenLatency {
  pairs: LatencyPairs;
  thinned: boolean;
  judged: boolean;
}

/** Against the control wherever there is one; else against the primary, which is judged by only when that is accepted. */
async function latencyOf(
  { gates }: Pick<Store, "gates">,
  set: FrozenSet,
  { acceptInlinePrimaryLatency }: GateCriteria,
): Promise<SeenLatency | null> {
  for (const reference of ["control", "primary"] as const) {
    const { candidateMs, referenceMs, thinned } = await gates.latencies(set, reference, pairsMax);
    if (candidateMs.length === 0) continue;
    return {
      pairs: {
        reference,
        candidateMs: Float64Array.from(candidateMs, (ms) => (ms < 0 ? Number.POSITIVE_INFINITY : ms)),
        // Clocks that step could make a recorded latency negative; nothing is faster than 0.
        referenceMs: Float64Array.from(referenceMs, (ms) => Math.max(0, ms)),
      },
      thinned,
      judged: reference === "control" || acceptInlinePrimaryLatency,
    };
  }
  return null;
}

/** What gateways still hold of minutes that are long past: it may be the part that would have failed. */
async function bufferedLong({ ledger }: Pick<Store, "ledger">, deploymentId: number, set: FrozenSet) {
  const toMs = minuteOf(set.frozenAtMs - patienceMs);
  if (toMs <= set.fromMs) return 0;
  return (await ledger.read(deploymentId, { fromMs: set.fromMs, toMs })).buffered;
}

/** A candidate that never answered was not tested; that it is down is no statement about the model. */
function refuseDown(candidate: string, counts: SetCounts): void {
  const finished = finishedOf(counts);
  const { network = 0, timeout = 0 } = counts.candidateError;
  if (finished === 0 || network + timeout < finished || sum(counts.candidateError) < finished) return;
  throw new UnderstudyError(
    "conflict",
    `The candidate ${candidate} has not answered one of ${finished.toLocaleString("en-US")} requests: ` +
      `${network.toLocaleString("en-US")} connections failed, ${timeout.toLocaleString("en-US")} timed out.`,
    {
      hint: "Start it, or correct its URL with `understudy candidate`, and gate what is captured from then on.",
    },
  );
}

function requireBounded(set: FrozenSet): void {
  if (set.workIds.length <= worksMax) return;
  throw new UnderstudyError(
    "conflict",
    `That time holds ${set.workIds.length.toLocaleString("en-US")} segments; a gate takes ${worksMax.toLocaleString("en-US")} at most.`,
    { hint: "Choose a shorter time with --since." },
  );
}
