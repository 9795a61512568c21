import type { StoredGate } from "../store/gate-types.js";
import type { Gate, GateItem, GateReport } from "./api.js";

export function gateItemView(gate: StoredGate): GateItem {
  const { id, deployment, candidate, runId, runKind, author, state, verdict, error, sha256 } = gate;
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
    sha256,
    createdAt: gate.createdAtMs,
    endedAt: gate.endedAtMs,
  };
}

export function gateView(gate: StoredGate): Gate {
  return { ...gateItemView(gate), report: gate.report as GateReport | null };
}
