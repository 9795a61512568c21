import { messageOf, UnderstudyError } from "../errors.js";
import { minuteOf } from "../ids.js";
import type { FrozenSet } from "../store/gate-sets.js";
import type { Store } from "../store/store.js";
import type { Candidate, Ledger } from "../store/types.js";
import type { Upstream } from "../upstream/client.js";
import type { GateCriteria } from "./criteria.js";
import { refuseAway, refuseDown } from "./down.js";
import { digestOf } from "./evidence.js";
import { type GateCase, lookAt, reportOn } from "./judge-set.js";
import { countText, percentText } from "./numbers.js";
import { finishedOf, patienceMs, type SetCounts, sum } from "./set.js";
import { ignoredOnlyThen } from "./standing.js";
import { absenceOf, testedCandidate, unseenRemark } from "./tested-candidate.js";

/** Segments in a set: a gate of a month of heavy traffic is better made of a selection. */
const worksMax = 500_000;

const downHint =
  "Start it, or correct its URL with `understudy candidate`, and gate what is captured from then on.";

export interface LiveGateRequest {
  deployment: string;
  candidate: string;
  criteria: GateCriteria;
  /** How far back from now. */
  sinceMs: number;
  author: string;
}

type GateStore = Pick<Store, "registry" | "gates" | "ledger">;

/**
 * Judges what a candidate's newest live run has come to, and stores it with its evidence. The set is frozen at the
 * start; nothing is waited for.
 *
 * @returns the gate's id
 * @throws UnderstudyError `not_found`; `conflict` when nothing can be said, since the candidate was down, or is another
 *   model by now
 */
export async function runLiveGate(
  { store, upstream }: { store: GateStore; upstream: Pick<Upstream, "describe"> },
  request: LiveGateRequest,
): Promise<number> {
  const deployment = await store.registry.getDeployment(request.deployment);
  const candidate = await testedCandidate(store, deployment.name, request.candidate);
  const away = await absenceOf(upstream, candidate);
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
    await requireOneMeaning(store, set);
    const given = await caseOf(store, candidate, {
      deployment: deployment.name,
      author,
      criteria,
      set,
      remarks: away === null ? [] : [unseenRemark(away)],
    });
    const report = await reportOn(store, given, await lookAt(store, given));
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

async function caseOf(
  store: GateStore,
  candidate: Candidate,
  about: Pick<GateCase, "deployment" | "author" | "criteria" | "set" | "remarks">,
): Promise<GateCase> {
  const { set } = about;
  const counts: SetCounts = { captured: set.captured, ...(await store.gates.counts(set)) };
  refuseDown(candidate.name, counts, downHint);
  if (finishedOf(counts) === 0) refuseAway(candidate, counts.captured + set.pending, downHint);
  const ledger = await store.ledger.read(candidate.deploymentId, {
    fromMs: set.fromMs,
    toMs: set.frozenAtMs,
  });
  const { candidates: _, ...account } = ledger;
  return {
    ...about,
    candidate: candidate.name,
    runKind: "live",
    selection: null,
    counts,
    waiting: set.waiting + (await bufferedLong(store, candidate.deploymentId, set)),
    ledger: account,
    latencyVoid: null,
    remarks: [...about.remarks, ...lostRemark(ledger)],
  };
}

/** Of an output whose ignore ended within the set, a part would be judged as if it still were. */
async function requireOneMeaning({ gates }: GateStore, set: FrozenSet): Promise<void> {
  const { policy } = await gates.pins(set.runId);
  const outputs = await ignoredOnlyThen(gates, set, policy.body);
  if (outputs.length === 0) return;
  throw new UnderstudyError(
    "conflict",
    `The policy's ignore of ${outputs.join(", ")} ended after some of these requests were judged.`,
    { hint: "--since sends them again, to be judged anew." },
  );
}

function lostRemark({ dropped, lost, received }: Ledger): string[] {
  const missed = sum(dropped) + lost;
  if (missed === 0) return [];
  const share = percentText(missed / Math.max(1, received));
  return [
    `${countText(missed)} requests of that time were dropped or lost before they were captured (${share}).`,
  ];
}

/** What gateways still hold of minutes that are long past: it may be the part that would have failed. */
async function bufferedLong({ ledger }: Pick<Store, "ledger">, deploymentId: number, set: FrozenSet) {
  const toMs = minuteOf(set.frozenAtMs - patienceMs);
  if (toMs <= set.fromMs) return 0;
  return (await ledger.read(deploymentId, { fromMs: set.fromMs, toMs })).buffered;
}

function requireBounded(set: FrozenSet): void {
  if (set.workIds.length <= worksMax) return;
  throw new UnderstudyError(
    "conflict",
    `That time holds ${set.workIds.length.toLocaleString("en-US")} segments; a gate takes ${worksMax.toLocaleString("en-US")} at most.`,
    { hint: "Choose a shorter time with --since, or a sample of it with --selection." },
  );
}
