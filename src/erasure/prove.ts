import { readAnswers } from "../answers/answers-file.js";
import { readSegment } from "../capture/segment.js";
import { UnderstudyError } from "../errors.js";
import type { SearchedSegment } from "../store/erasure-ends.js";
import type { ErasureProof } from "../store/erasure-types.js";
import { isBlank } from "./blank.js";
import type { EraseDeps } from "./deps.js";

/** Searches the database, and reads back every blob in which something of an erasure was: nothing may be found. */
export async function prove(deps: EraseDeps, erasureId: string, nowMs: number): Promise<ErasureProof> {
  const database = await deps.erasing.search(erasureId);
  const blobs = { segments: 0, answerFiles: 0, foundInBlobs: 0 };
  for (const segment of await deps.erasing.segments(erasureId)) {
    const { answerFiles, found } = await searchBlobs(deps, segment);
    blobs.segments += 1;
    blobs.answerFiles += answerFiles;
    blobs.foundInBlobs += found;
  }
  return { ...database, ...blobs, provedAtMs: nowMs };
}

/** Whether anything was found. */
export function isProved({ left, outcomesWithContents, outputRows, foundInBlobs }: ErasureProof): boolean {
  return left + outcomesWithContents + outputRows + foundInBlobs === 0;
}

async function searchBlobs({ erasing, blobs }: EraseDeps, segment: SearchedSegment) {
  const ids = new Set(segment.captureIds);
  const bytes = await present(blobs.get(segment.blobKey));
  const captures = bytes === null ? [] : await readSegment(bytes);
  let found = captures.filter((capture) => ids.has(capture.id) && !isBlank(capture)).length;
  let answerFiles = 0;
  for (const { key } of await erasing.answersOf(segment.id)) {
    const file = await present(blobs.get(key));
    if (file === null) continue;
    answerFiles += 1;
    found += [...(await readAnswers(file)).keys()].filter((id) => ids.has(id)).length;
  }
  return { answerFiles, found };
}

/** null: there is no such blob. */
function present(blob: Promise<Buffer>): Promise<Buffer | null> {
  return blob.catch((error: unknown) => {
    if (error instanceof UnderstudyError && error.code === "blob_missing") return null;
    throw error;
  });
}
