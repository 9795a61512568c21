import { messageOf, UnderstudyError } from "../errors.js";
import { deleteDoomed, deleteLeftAnswers } from "./delete-blobs.js";
import type { EraseDeps } from "./deps.js";
import { eraseAnswers } from "./erase-answers.js";
import { eraseSegment } from "./erase-segment.js";
import { isProved, prove } from "./prove.js";

/** Segments that are looked up at a time. */
const batchMax = 50;

/**
 * Goes on with all erasures that are not done, and with what was catalogued since of those that were. Each step says in
 * the database what it did as it does it: whoever comes after a crash goes on from there. One process at a time.
 *
 * @returns captures' segments that were dealt with; null: another process is at it
 * @throws the signal's reason, between two segments
 */
export function goOnErasing(deps: EraseDeps, signal: AbortSignal): Promise<number | null> {
  const { erasing } = deps;
  return erasing.exclusively(async (held) => {
    for (const id of await erasing.unmarked()) {
      await held();
      await erasing.mark(id);
    }
    const { segments, trouble } = await eraseSegments(deps, held, signal);
    await deleteDoomed(deps);
    for (const id of await erasing.unfinished()) {
      await held();
      await endErasure(deps, id, trouble);
    }
    return segments;
  });
}

/** One that cannot be dealt with holds up only the erasures that are about it. */
async function eraseSegments(deps: EraseDeps, held: () => Promise<void>, signal: AbortSignal) {
  const { erasing, log } = deps;
  const given = new Set<string>();
  let trouble: string | null = null;
  for (;;) {
    const due = (await erasing.due(batchMax + given.size)).filter(({ id }) => !given.has(id));
    for (const segment of due) {
      signal.throwIfAborted();
      await held();
      given.add(segment.id);
      try {
        await erasing.forgetOutcomes(segment);
        await eraseAnswers(deps, segment);
        await eraseSegment(deps, segment);
      } catch (error) {
        if (!(error instanceof UnderstudyError)) throw error;
        trouble = [error.message, error.hint].filter(Boolean).join(" ");
        log.error({ segment: segment.id, error: messageOf(error) }, "cannot erase from a segment");
      }
    }
    if (due.length === 0) return { segments: given.size, trouble };
  }
}

/** Done when nothing can hold anything of it any more, and a search finds nothing. */
async function endErasure(deps: EraseDeps, id: string, trouble: string | null): Promise<void> {
  const { erasing, log } = deps;
  const waitingFor = await erasing.hindrances(id);
  if (waitingFor.length > 0) {
    await erasing.waits(id, waitingFor);
    if (trouble !== null) await erasing.failed(id, trouble);
    return;
  }
  await deleteLeftAnswers(deps, id);
  const proof = await prove(deps, id, Date.now());
  if (isProved(proof)) return erasing.done(id, proof);
  log.error({ erasure: id, ...proof }, "something of an erasure was found: it goes on");
  await erasing.failed(id, "A search still found something; it goes on.");
}
