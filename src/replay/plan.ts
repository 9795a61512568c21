/** Rows of one unpaced work at most: what a worker that stops hands back is sent again. */
const rowsMax = 256;
/** A work of a paced replay holds what is sent within so long. */
const sliceMs = 2_000;

/** Captures of one segment that are to be replayed. */
export interface SegmentCaptures {
  segmentId: string;
  /** What the clock of its gateway was ahead of Postgres' clock, in milliseconds. */
  skewMs: number;
  /** Rows in the segment's file, ascending. */
  rows: readonly number[];
  /** When each was received, by the gateway's clock, Unix milliseconds. */
  atMs: readonly number[];
}

/** A work to be made: some rows of one segment. */
export interface PlannedWork {
  segmentId: string;
  /** Ascending; never empty. */
  rows: readonly number[];
  /** Of a paced replay: the place of its first request on the recorded time line, from 0; else null. */
  dueMs: number | null;
  skewMs: number;
}

export interface Plan {
  works: PlannedWork[];
  captures: number;
  /** When the first request was received, by Postgres' clock: where the time line begins. */
  originMs: number;
  /** From the first request to the last, as recorded. */
  lengthMs: number;
}

/**
 * Shares out captures among works. Paced: each work is a slice of the one time line, so short that a worker which is
 * lost takes little with it; in the order in which they are due. Unpaced: in the order given.
 *
 * @param speed times the recorded pace; null: unpaced
 */
export function planReplay(segments: readonly SegmentCaptures[], speed: number | null): Plan {
  let [first, last, captures] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const { atMs, skewMs } of segments) {
    for (const at of atMs) {
      first = Math.min(first, at - skewMs);
      last = Math.max(last, at - skewMs);
    }
    captures += atMs.length;
  }
  if (captures === 0) return { works: [], captures, originMs: 0, lengthMs: 0 };
  const works =
    speed === null
      ? segments.flatMap(inChunks)
      : segments.flatMap((segment) => inSlices(segment, first, sliceMs * speed));
  if (speed !== null) works.sort((a, b) => a.dueMs! - b.dueMs!);
  return { works, captures, originMs: first, lengthMs: last - first };
}

function inChunks({ segmentId, rows, skewMs }: SegmentCaptures): PlannedWork[] {
  const works: PlannedWork[] = [];
  for (let at = 0; at < rows.length; at += rowsMax) {
    works.push({ segmentId, rows: rows.slice(at, at + rowsMax), dueMs: null, skewMs });
  }
  return works;
}

/** @param spanMs of the recorded time line, in one slice */
function inSlices({ segmentId, rows, atMs, skewMs }: SegmentCaptures, originMs: number, spanMs: number) {
  const slices = new Map<number, { segmentId: string; rows: number[]; dueMs: number; skewMs: number }>();
  for (const [i, row] of rows.entries()) {
    const dueMs = atMs[i]! - skewMs - originMs;
    const place = Math.floor(dueMs / spanMs);
    const slice = slices.get(place);
    if (slice === undefined) {
      slices.set(place, { segmentId, rows: [row], dueMs, skewMs });
    } else {
      slice.rows.push(row);
      slice.dueMs = Math.min(slice.dueMs, dueMs);
    }
  }
  return [...slices.values()];
}
