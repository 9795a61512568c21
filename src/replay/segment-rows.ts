import { createHash } from "node:crypto";
import type { BlobStore } from "../blobs/blobs.js";
import { withBodies } from "../capture/bodies.js";
import type { Capture } from "../capture/capture.js";
import { readSegment, type StoredCapture } from "../capture/segment.js";
import { messageOf, UnderstudyError } from "../errors.js";
import type { LeasedWork } from "../store/types.js";

/** What a work is about. Of `erased` captures nothing is read but who they are. */
export interface SegmentRows {
  captures: Capture[];
  erased: StoredCapture[];
}

/**
 * The captures of a work, from its segment's file and the bodies that it refers to.
 * @throws UnderstudyError `blob_missing`, or `blob_corrupt` when the bytes are not those that were catalogued.
 */
export async function segmentRows(blobs: BlobStore, work: LeasedWork): Promise<SegmentRows> {
  const { segment, firstRow, rows } = work;
  const corrupt = (why: string, cause?: unknown) =>
    new UnderstudyError("blob_corrupt", `The segment ${segment.id} ${why}`, { cause });
  const bytes = await blobs.get(segment.blobKey);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== segment.sha256) throw corrupt(`has SHA-256 ${sha256}, not ${segment.sha256}`);
  const captures = await readSegment(bytes).catch((error: unknown) => {
    throw corrupt(`cannot be read: ${messageOf(error)}`, error);
  });
  if (firstRow + rows > captures.length) {
    throw corrupt(`has ${captures.length} rows; rows ${firstRow} to ${firstRow + rows - 1} were wanted`);
  }
  const wanted = work.rowList?.map((row) => captures[row]!) ?? captures.slice(firstRow, firstRow + rows);
  return {
    captures: await withBodies(blobs, wanted),
    erased: work.erasedRows.map((row) => captures[row]!),
  };
}
