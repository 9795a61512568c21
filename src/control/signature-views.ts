import { signatureState } from "../compare/signature-state.js";
import { formatComparisonId } from "../ids.js";
import type { SignatureRow } from "../store/signatures.js";
import type { Signature } from "./api.js";

/** A group of divergences as it stands in the last of its runs. Of one that is gone: when it was last seen. */
export function signatureView(
  { group, mark, sightings, representative }: SignatureRow,
  nowMs: number,
): Signature {
  const seen = sightings.findLast(({ count }) => count > 0);
  return {
    id: group.signature,
    output: group.output,
    kind: group.kind,
    magnitude: group.magnitude,
    flip: group.flip,
    shape: group.shape && [...group.shape],
    count: sightings.at(-1)?.count ?? 0,
    firstSeen: seen?.firstSeenMs ?? null,
    lastSeen: seen?.lastSeenMs ?? null,
    representative: representative && formatComparisonId(representative),
    state: signatureState(mark, sightings, nowMs),
    acceptedUntil: mark.acceptedUntilMs,
    note: mark.note,
    by: mark.by,
    updatedAt: mark.updatedAtMs,
  };
}
