import type { FrozenSet } from "../store/gate-sets.js";
import type { GateSelection } from "../store/gate-types.js";
import type { Store } from "../store/store.js";
import type { RunKind } from "../store/types.js";
import type { GateCriteria } from "./criteria.js";
import { type GateJudgement, judgeGate } from "./judge.js";
import { countText } from "./numbers.js";
import type { GateReport } from "./report.js";
import { reportOf } from "./report-of.js";
import { type SeenLatency, seenLatency } from "./seen-latency.js";
import type { GateSample, SetCounts } from "./set.js";

/** Points of a curve over time. */
const stretchesMax = 60;

/** What is judged, and by what. */
export interface GateCase {
  deployment: string;
  candidate: string;
  author: string;
  criteria: GateCriteria;
  runKind: RunKind;
  set: FrozenSet;
  selection: GateSelection | null;
  counts: SetCounts;
  waiting: number;
  ledger: GateReport["ledger"];
  latencyVoid: string | null;
  remarks: readonly string[];
}

/** A look at a set: what it says by now. */
export interface Look {
  sample: GateSample;
  latency: SeenLatency | null;
  judgement: GateJudgement;
}

/** Judges a set. Latencies are read only where they may be judged by: there can be many. */
export async function lookAt(store: Pick<Store, "gates">, given: GateCase): Promise<Look> {
  const { set, criteria, counts, waiting, ledger, latencyVoid } = given;
  const latency = criteria.maxP99Regression === undefined ? null : await seenLatency(store, set, criteria);
  const sample: GateSample = {
    counts,
    waiting,
    remaining: set.selection === null ? Number.POSITIVE_INFINITY : set.pending,
    balanced: ledger.balanced === true,
    latency: latency?.judged === true ? latency.pairs : null,
    latencyVoid,
  };
  return { sample, latency, judgement: judgeGate(criteria, sample) };
}

/** The report on a look. */
export async function reportOn(
  store: Pick<Store, "gates">,
  given: GateCase,
  { sample, latency, judgement }: Look,
): Promise<GateReport> {
  const { deployment, candidate, author, criteria, runKind, set, selection, ledger, remarks } = given;
  return reportOf({
    deployment,
    candidate,
    author,
    criteria,
    run: { id: set.runId, kind: runKind },
    pins: await store.gates.pins(set.runId),
    set,
    selection,
    sample,
    judgement,
    ledger,
    latency: latency ?? (await seenLatency(store, set, criteria)),
    timeline: await store.gates.timeline(set, stretchesMax),
    outputs: await store.gates.outputErrors(set),
    worst: await store.gates.worst(set),
    remarks: [...remarks, ...retriedRemarks(await store.gates.retried(set))],
  });
}

/** The rates and latencies are those of the last attempts alone. */
function retriedRemarks(n: number): string[] {
  if (n === 0) return [];
  return [
    `${countText(n)} requests took more than one attempt, since the candidate refused them at first; the error rate and the latencies are those of the last.`,
  ];
}
