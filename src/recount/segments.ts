import { createHash } from "node:crypto";
import type { BlobStore } from "../blobs/blobs.js";
import { readSegment } from "../capture/segment.js";
import { messageOf, UnderstudyError } from "../errors.js";
import type { RecountReader, RecountSegment } from "../store/recount.js";
import type { Difference } from "./recount.js";

/**
 * Reads a segment's Parquet file, and compares its captures with the catalogue's rows, one by one.
 * @returns how many captures are in the file, and what is not as catalogued
 * @throws whatever keeps the blob store from answering; a blob that is not there is a difference
 */
export async function recountSegment(
  { blobs, reader }: { blobs: BlobStore; reader: Pick<RecountReader, "captureIds"> },
  segment: RecountSegment,
): Promise<{ captures: number; differences: Difference[] }> {
  const unreadable = (why: string) => ({
    captures: 0,
    differences: [{ what: `segment ${segment.id}`, ledger: segment.captures, counted: 0, why }],
  });
  let ids: string[];
  try {
    const bytes = await blobs.get(segment.blobKey);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (sha256 !== segment.sha256) return unreadable(`its SHA-256 is ${sha256}, not ${segment.sha256}`);
    ids = (await readSegment(bytes)).map(({ id }) => id);
  } catch (error) {
    if (error instanceof UnderstudyError && error.code !== "blob_missing") throw error;
    return unreadable(messageOf(error));
  }
  const rows = new Set(await reader.captureIds(segment));
  const unique = new Set(ids);
  const differences: Difference[] = [];
  const expect = (what: string, ledger: number, counted: number) => {
    if (ledger !== counted) differences.push({ what: `segment ${segment.id}: ${what}`, ledger, counted });
  };
  expect("captures in its file", segment.captures, ids.length);
  expect("captures that are in its file once", ids.length, unique.size);
  expect("rows of captures", unique.size, rows.size);
  expect("captures without a row", 0, [...unique].filter((id) => !rows.has(id)).length);
  return { captures: ids.length, differences };
}
