import { createHash } from "node:crypto";
import { readSegment, type StoredCapture, segmentAbout, writeSegment } from "../capture/segment.js";
import { UnderstudyError } from "../errors.js";
import type { ErasableSegment } from "../store/erasing.js";
import { blank } from "./blank.js";
import type { EraseDeps } from "./deps.js";

/**
 * Writes a segment anew without its marked captures, and has the catalogue name that file in place of the old one, which
 * is then doomed with the bodies that nothing refers to any more. The new file is doomed until it is named, so that a
 * crash leaves neither behind. Nothing happens if another had marked more meanwhile: the next turn takes both.
 *
 * @throws UnderstudyError `blob_corrupt` when what lies there is not what was catalogued
 */
export async function eraseSegment(
  { erasing, blobs, log }: EraseDeps,
  segment: ErasableSegment,
): Promise<void> {
  const { id, deploymentId, day, blobKey, rows } = segment;
  const old = await blobs.get(blobKey).catch((error: unknown) => {
    if (error instanceof UnderstudyError && error.code === "blob_missing") return null;
    throw error;
  });
  if (old === null) {
    log.warn({ segment: id }, "the segment's file is gone already");
    await erasing.replaceSegment(segment, { key: blobKey, sha256: segment.sha256, bytes: 0 }, new Map());
    return;
  }
  if (sha256Of(old) !== segment.sha256) {
    throw new UnderstudyError(
      "blob_corrupt",
      `The segment ${id} is not what was catalogued: nothing can be taken out of it.`,
      {
        hint: `Restore ${blobKey} from a backup of the blob store, or delete it: the erasure goes on by itself.`,
      },
    );
  }
  const captures = await readSegment(old);
  const marked = new Set(rows);
  const bytes = writeSegment(
    captures.map((capture, row) => (marked.has(row) ? blank(capture) : capture)),
    segmentAbout(old),
  );
  const sha256 = sha256Of(bytes);
  const key = `segments/${deploymentId}/${day}/${id}.${sha256.slice(0, 16)}.parquet`;
  if (key !== blobKey) {
    await erasing.doomed.doom(key);
    await blobs.put(key, bytes);
  }
  const bodies = referredTo(rows.map((row) => captures[row]!));
  await erasing.replaceSegment(segment, { key, sha256, bytes: bytes.length }, bodies);
}

/** How often captures refer to each body. */
function referredTo(captures: readonly StoredCapture[]): Map<string, number> {
  const refs = new Map<string, number>();
  for (const { requestBodySha256, responseBodySha256 } of captures) {
    for (const sha256 of [requestBodySha256, responseBodySha256]) {
      if (sha256 !== null) refs.set(sha256, (refs.get(sha256) ?? 0) + 1);
    }
  }
  return refs;
}

const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
