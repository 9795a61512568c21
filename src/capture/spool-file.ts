import { dayMs, dayOf } from "../ids.js";
import type { MinuteCounts } from "./account.js";

/** A spool file that takes no more captures: what will become one segment. */
export interface ClosedFile {
  path: string;
  name: string;
  segmentId: string;
  deploymentId: number;
  /** UTC day of all its captures, `YYYY-MM-DD`. */
  day: string;
  /** Length of its sound part. */
  bytes: number;
  /** Captures in it, by minute of receipt. */
  minutes: MinuteCounts;
}

const nameForm =
  /^([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})\.(\d{1,10})\.(\d{4}-\d{2}-\d{2})\.spool$/;

/** Days since 1970, cheaper to compare than a date. */
export function dayNumberOf(atMs: number): number {
  return Math.floor(atMs / dayMs);
}

/** The name says all that the content does not: the segment's id, fixed when the file is opened, and whose it is. */
export function spoolFileName(segmentId: string, deploymentId: number, dayNumber: number): string {
  return `${segmentId}.${deploymentId}.${dayOf(dayNumber * dayMs)}.spool`;
}

export function parseSpoolFileName(
  name: string,
): Pick<ClosedFile, "segmentId" | "deploymentId" | "day"> | null {
  const match = nameForm.exec(name);
  return match ? { segmentId: match[1]!, deploymentId: Number(match[2]), day: match[3]! } : null;
}
