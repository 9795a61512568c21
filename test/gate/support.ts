import type { NewCandidate, OutcomeRow } from "../../src/store/types.js";
import { addShadow, captureRow, endpoint, leaseSegment, outcomeRow, type World } from "../store/support.js";

/** How captures of a segment are to have ended, in their order: a match, unless told. */
export type Ending = Partial<OutcomeRow>;

const mismatch: Ending = { result: "mismatch", kind: "value", maxAbs: 2, flip: true };
export const endings = {
  match: {},
  mismatch,
  error: {
    disposition: "candidate_error",
    reason: "http_5xx",
    result: "incomparable",
    flip: null,
    candidateMs: null,
  },
  down: {
    disposition: "candidate_error",
    reason: "network",
    result: "incomparable",
    flip: null,
    candidateMs: null,
  },
} as const satisfies Record<string, Ending>;

/** `n` captures, of which the first of each `each` end otherwise. */
export function mixed(n: number, each: number, otherwise: Ending): Ending[] {
  return Array.from({ length: n }, (_, i) => (i % each === 0 ? otherwise : {}));
}

let spread = 0;

/** Catalogues one segment of captures of the last half hour; `judge: false` leaves its work pending. */
export async function addJudged(
  world: World,
  deploymentId: number,
  all: readonly Ending[],
  { judge = true, agoMs = 1_800_000 }: { judge?: boolean; agoMs?: number } = {},
): Promise<void> {
  const startMs = Date.now() - agoMs + ++spread * 1_000;
  const captures = all.map((_, i) => captureRow(i, { receivedAtMs: startMs + i }));
  const { work } = await leaseSegment(world, deploymentId, captures);
  if (!judge) {
    await world.store.work.release(work.id, work.lease);
    return;
  }
  await world.store.outcomes.commitWork({
    workId: work.id,
    lease: work.lease,
    judgedAtMs: Date.now(),
    rows: captures.map((capture, i) => outcomeRow(capture, all[i])),
  });
}

/** A deployment with one candidate whose captures ended so; nothing answers there, unless told. */
export async function addGated(world: World, all: readonly Ending[], over: Partial<NewCandidate> = {}) {
  const shadow = await addShadow(world, {
    endpoint: endpoint({ url: "http://127.0.0.1:9", model: "int8" }),
    ...over,
  });
  if (all.length > 0) await addJudged(world, shadow.deployment.id, all);
  return { ...shadow, name: shadow.deployment.name };
}
