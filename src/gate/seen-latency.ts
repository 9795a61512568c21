import type { FrozenSet } from "../store/gate-sets.js";
import type { Store } from "../store/store.js";
import type { GateCriteria } from "./criteria.js";
import type { LatencyPairs } from "./set.js";

/** Pairs of latencies that are judged. */
const pairsMax = 100_000;

/** Latencies to show, and whether they are to be judged by. */
export interface SeenLatency {
  pairs: LatencyPairs;
  /** There are more pairs than these. */
  thinned: boolean;
  judged: boolean;
}

/**
 * Against the control wherever there is one; else against the primary, which is judged by only when that is accepted.
 * null: there are no pairs.
 */
export async function seenLatency(
  { gates }: Pick<Store, "gates">,
  set: FrozenSet,
  { acceptInlinePrimaryLatency }: GateCriteria,
): Promise<SeenLatency | null> {
  for (const reference of ["control", "primary"] as const) {
    const { candidateMs, referenceMs, total } = await gates.latencies(set, reference, pairsMax);
    if (candidateMs.length === 0) continue;
    return {
      pairs: {
        reference,
        candidateMs: Float64Array.from(candidateMs, orNever),
        referenceMs: Float64Array.from(referenceMs, orNever),
        remaining:
          set.selection === null ? Number.POSITIVE_INFINITY : set.pending + total - candidateMs.length,
      },
      thinned: total > candidateMs.length,
      judged: reference === "control" || acceptInlinePrimaryLatency,
    };
  }
  return null;
}

const orNever = (ms: number) => (ms < 0 ? Number.POSITIVE_INFINITY : ms);
