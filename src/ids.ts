import { v7 } from "uuid";

/** Milliseconds in a UTC day. */
export const dayMs = 86_400_000;

/** A UUIDv7 whose time part is `atMs` (Unix milliseconds), so that the id alone tells the partition of its row. */
export function newId(atMs: number = Date.now()): string {
  return v7({ msecs: atMs });
}

/** The Unix milliseconds that a UUIDv7 carries in its first 48 bits. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The UTC day of a moment, as `YYYY-MM-DD`. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

/** The start of the UTC minute of a moment, in Unix milliseconds. */
export function minuteOf(atMs: number): number {
  return atMs - (((atMs % 60_000) + 60_000) % 60_000);
}

/** Identifies a comparison: a capture, as judged in one run. */
export interface ComparisonId {
  captureId: string;
  runId: number;
}

const comparisonIdForm =
  /^([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})\.([1-9][0-9]{0,8})$/;

/** `CAPTURE.RUN`: the primary key of an outcome, so it is found in its partition without a further index. */
export function formatComparisonId({ captureId, runId }: ComparisonId): string {
  return `${captureId}.${runId}`;
}

/** Reads what {@link formatComparisonId} wrote; null for anything else. */
export function parseComparisonId(text: string): ComparisonId | null {
  const match = comparisonIdForm.exec(text);
  return match ? { captureId: match[1]!, runId: Number(match[2]) } : null;
}
