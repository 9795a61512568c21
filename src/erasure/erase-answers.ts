import { createHash } from "node:crypto";
import { writeAnswers } from "../answers/answers-file.js";
import { answersKey, keptAnswers } from "../answers/keeper.js";
import { UnderstudyError } from "../errors.js";
import type { ErasableSegment } from "../store/erasing.js";
import type { WorkAnswers } from "../store/erasing-blobs.js";
import type { EraseDeps } from "./deps.js";

/** Takes a segment's marked captures out of the answers that were kept of candidates, in every run. */
export async function eraseAnswers(deps: EraseDeps, segment: ErasableSegment): Promise<void> {
  for (const answers of await deps.erasing.answersOf(segment.id)) await eraseFrom(deps, segment, answers);
}

async function eraseFrom(
  { erasing, blobs, log }: EraseDeps,
  { captureIds, deploymentId, day }: ErasableSegment,
  answers: WorkAnswers,
): Promise<void> {
  const { workId, lease, key: oldKey } = answers;
  const kept = await keptAnswers(blobs, answers).catch((error: unknown) => {
    if (!(error instanceof UnderstudyError)) throw error;
    log.warn({ key: oldKey, why: error.message }, "answers cannot be read: all of them go");
    return null;
  });
  if (kept !== null && !captureIds.some((id) => kept.has(id))) return;
  const marked = new Set(captureIds);
  const left = [...(kept ?? [])].flatMap(([captureId, observation]) =>
    marked.has(captureId) ? [] : [{ captureId, observation }],
  );
  if (left.length === 0) return erasing.replaceAnswers(answers, null);
  const bytes = writeAnswers(left);
  const key = answersKey({ deploymentId, day, workId, lease: lease + 1 });
  await blobs.put(key, bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await erasing.replaceAnswers(answers, { key, sha256, bytes: bytes.length, count: left.length });
}
