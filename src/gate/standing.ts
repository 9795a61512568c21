import { ignoresEnded, type Policy } from "../compare/policy.js";
import type { FrozenSet } from "../store/gate-sets.js";
import type { StoredGate } from "../store/gate-types.js";
import type { Store } from "../store/store.js";
import { digestOf, ledgerChange, modelDigest } from "./evidence.js";
import type { Digests, GateReport } from "./report.js";

export const approvalRules = ["none", "anyone", "other"] as const;
/** Whose approval a promotion takes: nobody's, anyone's, or that of another than the gate's author. */
export type ApprovalRule = (typeof approvalRules)[number];

/** Whether a gate's evidence still is about what is there now. */
export interface Standing {
  /** What is another now than it was; a gate with any of these says nothing any more. */
  changed: (keyof Digests | "report")[];
  /** Requests of the set that were erased since: noted, but no change. */
  erased: number;
  /** The newest day of which retention has dropped captures of the set: its account cannot be counted again. null: none. */
  dropped: string | null;
}

/** null: the gate has no report. */
export async function standingOf(
  { gates }: Pick<Store, "gates">,
  gate: StoredGate,
): Promise<Standing | null> {
  if (gate.report === null) return null;
  const report = gate.report as GateReport;
  const { model, policy } = await gates.inForce(gate.candidateId);
  const set = setOf(gate, report);
  const changed: Standing["changed"] = [];
  if (digestOf(report) !== gate.sha256) changed.push("report");
  if (modelDigest(model) !== report.digests.model) changed.push("model");
  const dropped = await gates.droppedDay(set);
  const same = policy.sha256 === report.digests.policy;
  if (!same || (await ignoredOnlyThen(gates, set, policy.body)).length > 0) changed.push("policy");
  if (dropped !== null) return { changed, erased: 0, dropped };
  const ledger = ledgerChange(report.counts, await gates.counts(set));
  if (ledger === "changed") changed.push("ledger");
  return { changed, erased: ledger === "changed" ? 0 : ledger, dropped };
}

/** Outputs that the policy ignored when the first of a set was judged, and does not any more. */
export async function ignoredOnlyThen(
  gates: Pick<Store["gates"], "judgedFrom">,
  set: FrozenSet,
  policy: Policy,
): Promise<string[]> {
  const nowMs = Date.now();
  // Nearly always: then nothing need be looked up.
  if (ignoresEnded(policy, 0, nowMs).length === 0) return [];
  return ignoresEnded(policy, (await gates.judgedFrom(set)) ?? nowMs, nowMs);
}

function setOf(gate: StoredGate, { set, counts, selection }: GateReport): FrozenSet {
  return {
    runId: gate.runId,
    selection: gate.selection && { id: gate.selection.id, read: selection?.read ?? 0 },
    frozenAtMs: set.frozenAt,
    fromMs: set.from,
    firstMs: set.firstAt,
    watermarkMs: set.watermark,
    workIds: gate.workIds,
    captured: counts.captured,
    pending: set.pending,
    waiting: set.waiting,
  };
}

/** Why an approval does not count, in a word for people; null: it does. */
export function lapseOf(
  approval: { by: string; sha256: string },
  gate: Pick<StoredGate, "author" | "sha256">,
  standing: Standing | null,
  rule: ApprovalRule,
): string | null {
  if (approval.sha256 !== gate.sha256) return "the evidence is another";
  if (standing !== null && standing.changed.length > 0)
    return `changed since: ${standing.changed.join(", ")}`;
  if (standing !== null && standing.dropped !== null) return uncountable(standing.dropped);
  if (rule === "other" && approval.by === gate.author) return "given by the gate's own author";
  return null;
}

export const uncountable = (day: string): string =>
  `its captures of ${day} were dropped by retention, so that its account can no longer be counted`;
