import { type ApprovalRule, lapseOf, type Standing } from "../gate/standing.js";
import type { StoredGate } from "../store/gate-types.js";
import type { Promotion as StoredPromotion } from "../store/promotions.js";
import type { Gate, GateItem, GateReport, Promotion } from "./api.js";

export function gateItemView(gate: StoredGate): GateItem {
  const { id, deployment, candidate, runId, runKind, author, state, verdict, error, sha256, selection } =
    gate;
  return {
    id,
    deployment,
    candidate,
    run: runId,
    runKind,
    author,
    state,
    verdict,
    error,
    selection: selection && { name: selection.name, members: selection.members, read: selection.read },
    sha256,
    createdAt: gate.createdAtMs,
    endedAt: gate.endedAtMs,
  };
}

export function gateView(gate: StoredGate, standing: Standing | null, rule: ApprovalRule): Gate {
  return {
    ...gateItemView(gate),
    report: gate.report as GateReport | null,
    standing,
    approvals: gate.approvals.map((approval) => ({
      by: approval.by,
      reason: approval.reason,
      at: approval.atMs,
      lapsed: lapseOf(approval, gate, standing, rule),
    })),
  };
}

export function promotionView({ sinceMs, ...promotion }: StoredPromotion): Promotion {
  return { ...promotion, since: sinceMs };
}
