import { messageOf, UnderstudyError } from "../errors.js";
import { newId } from "../ids.js";
import { lagP99MsMax } from "../replay/lag.js";
import type { ReplayState } from "../store/replay-types.js";
import type { Selection } from "../store/selections.js";
import type { Store } from "../store/store.js";
import type { Candidate } from "../store/types.js";
import { isUnreachable } from "../store/unreachable.js";
import type { Upstream } from "../upstream/client.js";
import { type GateCriteria, gateCriteriaSchema } from "./criteria.js";
import { refuseAway, refuseDown } from "./down.js";
import { digestOf } from "./evidence.js";
import { type GateCase, lookAt, reportOn } from "./judge-set.js";
import { countText, msText } from "./numbers.js";
import type { SetCounts } from "./set.js";
import { absenceOf, testedCandidate, unseenRemark } from "./tested-candidate.js";

/** A look costs a read of all that was read so far: the next takes so much more of it, and so many requests. */
const lookGrowth = 1.05;
const lookStep = 64;

export interface SelectionGateRequest {
  deployment: string;
  candidate: string;
  /** A sealed one by its name; or what was captured in the last so many milliseconds, sealed now. */
  selection: string | { sinceMs: number };
  criteria: GateCriteria;
  /** Ask the candidate anew, whatever is there of an earlier replay. */
  fresh: boolean;
  author: string;
}

/** What is kept of it until the verdict. */
interface SelectionRequest {
  criteria: unknown;
  /** What was to be said of it already when it began. */
  remarks?: string[];
}

interface Deps {
  store: Pick<Store, "registry" | "gates" | "selections" | "replays">;
  upstream: Pick<Upstream, "describe">;
}

/**
 * Begins a gate over a sealed selection: on a replay of it whose results count for this revision and policy, or on a
 * new one. If all that it takes is there it is done at once; else {@link stepSelectionGate} takes it on.
 *
 * @returns the gate's id
 * @throws UnderstudyError `not_found`; `conflict` when the selection is not sealed, or empty, or the candidate is another
 *   model by now; what keeps it from answering
 */
export async function openSelectionGate(deps: Deps, request: SelectionGateRequest): Promise<number> {
  const { store, upstream } = deps;
  const { criteria, author, fresh } = request;
  const deployment = await store.registry.getDeployment(request.deployment);
  const candidate = await testedCandidate(store, deployment.name, request.candidate);
  const away = await absenceOf(upstream, candidate);
  const selection = await selectionOf(store, deployment.name, request.selection);
  requireSealed(selection);
  const earlier = await store.gates.reusable({ candidateId: candidate.id, selectionId: selection.id });
  const known = fresh ? null : earlier;
  if (away !== null && (known === null || (await store.replays.state(known)) !== "done")) throw away;
  const runId = known ?? (await openReplay(store, deployment.name, candidate, selection.name));
  const id = await store.gates.create({
    deploymentId: deployment.id,
    candidateId: candidate.id,
    runId,
    author,
    selectionId: selection.id,
    request: {
      criteria,
      remarks: [
        ...(away === null ? [] : [unseenRemark(away)]),
        ...(fresh && earlier !== null ? [freshRemark(earlier)] : []),
      ],
    } satisfies SelectionRequest,
  });
  // What is there already may do: then nothing is sent.
  await stepSelectionGate({ store }, id);
  return id;
}

/** Of the last hours: the base sample, as of a live run, under a name of its own. */
function selectionOf(
  { selections }: Pick<Store, "selections">,
  deployment: string,
  wanted: SelectionGateRequest["selection"],
): Promise<Selection> {
  if (typeof wanted === "string") return selections.get(deployment, wanted);
  const filter = { sinceMs: wanted.sinceMs, baseOnly: true };
  return selections.create({ deployment, name: `gate-${newId()}`, filter, seal: true, forGate: true });
}

async function openReplay(
  { replays }: Pick<Store, "replays">,
  deployment: string,
  { name, flow }: Candidate,
  selection: string,
): Promise<number> {
  const { runId } = await replays.open({
    deployment,
    target: { kind: "candidate", name },
    selection,
    filter: {},
    speed: null,
    concurrency: flow.concurrency,
    // The candidate's own rate holds for whatever is sent to it.
    ratePerSecond: null,
    onFailure: "skip",
    forGate: true,
  });
  return runId;
}

function requireSealed({ name, deployment, captures, erased, sealed }: Selection): void {
  if (captures - erased === 0) {
    throw new UnderstudyError(
      "conflict",
      erased > 0
        ? `The selection ${name} is empty: all of its ${countText(erased)} members were erased.`
        : `The selection ${name} is empty: no capture matches its filter.`,
      { hint: "Make one of a wider time or filter: `understudy selection create`." },
    );
  }
  if (sealed !== null) return;
  throw new UnderstudyError(
    "conflict",
    `The selection ${name} is not sealed: what it means changes while it is judged.`,
    {
      hint: `\`understudy selection seal ${deployment} ${name}\` fixes its members and their order.`,
    },
  );
}

/**
 * Takes a running gate over a selection one step further: looks at what is finished in the order of the seal, as soon
 * as there is enough more of it, and ends the gate once its verdict is certain, or all is read. Doing it twice, or by
 * two at once, changes nothing: only one end counts.
 */
export async function stepSelectionGate({ store }: Pick<Deps, "store">, id: number): Promise<void> {
  const gate = await store.gates.get(id);
  if (gate.state !== "running" || gate.selection === null) return;
  try {
    const state = await store.replays.state(gate.runId);
    if (state === "cancelled" || state === "failed") {
      await store.gates.giveUp(id, "cancelled", await whyEnded(store, gate.runId, state));
      return;
    }
    const { id: selectionId, members, looked } = gate.selection;
    const from = gate.selection.read;
    const finished = await store.gates.watermark({ runId: gate.runId, selectionId, from });
    // What a replay that is done has left out is missing from the coverage, and not waited for.
    const read = state === "done" ? members : finished;
    const due = read === members || read >= Math.max(looked + lookStep, looked * lookGrowth);
    if (finished === 0) await refuseAwayFromStart(store, gate);
    if (due) await look(store, { ...gate, selection: { ...gate.selection, read } });
    await store.gates.progress(id, { read, looked: due ? read : looked });
  } catch (error) {
    // The database will be back; whoever takes the next step goes on from here.
    if (isUnreachable(error)) throw error;
    const hint = error instanceof UnderstudyError && error.hint ? ` ${error.hint}` : "";
    await store.gates.giveUp(id, "failed", messageOf(error) + hint);
  }
}

const downHint =
  "Start it, or correct its URL with `understudy candidate`, and gate it again: it is asked anew then.";

async function refuseAwayFromStart({ gates, registry }: Deps["store"], gate: Stored): Promise<void> {
  const { planned, finished } = await gates.account(gate.runId);
  if (finished > 0) return;
  refuseAway(await registry.getCandidate(gate.deployment, gate.candidate), planned, downHint);
}

type Stored = Awaited<ReturnType<Store["gates"]["get"]>>;

async function look(store: Deps["store"], gate: Stored): Promise<void> {
  const selection = gate.selection!;
  const { runId } = gate;
  const { criteria, remarks = [] } = gate.request as SelectionRequest;
  const { set, targeted } = await store.gates.readSet({
    runId,
    selectionId: selection.id,
    read: selection.read,
  });
  const counts: SetCounts = { captured: set.captured, ...(await store.gates.counts(set)) };
  refuseDown(gate.candidate, counts, downHint);
  const { planned, finished, pending, cancelled } = await store.gates.account(runId);
  const given: GateCase = {
    deployment: gate.deployment,
    candidate: gate.candidate,
    author: gate.author,
    criteria: gateCriteriaSchema.parse(criteria),
    runKind: gate.runKind,
    set,
    selection,
    counts,
    waiting: 0,
    ledger: {
      planned,
      finished,
      pending,
      cancelled,
      balanced: finished + pending + cancelled === planned,
    },
    latencyVoid: await latencyVoidOf(store, runId, set),
    remarks: [...remarks, ...(targeted === 0 ? [] : [targetedRemark(targeted)]), ...unreachedRemarks(counts)],
  };
  const seen = await lookAt(store, given);
  if (seen.judgement.verdict === "inconclusive" && set.pending > 0) return;
  const report = await reportOn(store, given, seen);
  await store.gates.finish(gate.id, {
    verdict: report.verdict,
    report,
    sha256: digestOf(report),
    workIds: [],
    read: selection.read,
  });
}

const targetedRemark = (n: number) =>
  `${countText(n)} of the members were captured by a rule and not by chance: the rates are those of the selection, not of the traffic.`;

const freshRemark = (runId: number) =>
  `The candidate was asked anew, as was wanted: what replay ${runId} of the same selection came to is left out.`;

/** What the candidate is charged with may have been an outage. */
function unreachedRemarks({ candidateError: { network = 0, timeout = 0 } }: SetCounts): string[] {
  if (network + timeout === 0) return [];
  return [
    `${countText(network)} connections failed and ${countText(timeout)} requests timed out; if the candidate was away then, --fresh asks it anew.`,
  ];
}

/** Of a replay that could not keep its pace the load was another than the recorded one. */
async function latencyVoidOf(
  { gates, replays }: Pick<Store, "gates" | "replays">,
  runId: number,
  set: GateCase["set"],
): Promise<string | null> {
  if ((await replays.get(runId)).speed === null) return null;
  const { p99Ms, neverSent } = await gates.lateness(set);
  if (neverSent > 0)
    return `its replay could not keep its pace: ${countText(neverSent)} requests were never sent`;
  if (p99Ms === null || p99Ms <= lagP99MsMax) return null;
  return `its replay could not keep its pace: p99 of the lateness is ${msText(p99Ms)}, more than ${lagP99MsMax} ms`;
}

async function whyEnded(
  { replays }: Pick<Store, "replays">,
  runId: number,
  state: ReplayState,
): Promise<string> {
  const { captures, pending, cancelled, error } = await replays.get(runId);
  const done = `after ${countText(captures - pending - cancelled)} of ${countText(captures)} requests`;
  return state === "cancelled"
    ? `Replay ${runId} was cancelled ${done}: there is no verdict. Gated again, the candidate is asked anew.`
    : `Replay ${runId} failed ${done}: ${error ?? "it did not say why"}.`;
}
