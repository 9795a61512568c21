/** Readings of the database's clock; the one that took the least time is the most exact. */
const readings = 7;
const linesMax = 64;

/**
 * When the time line of a run begins, on this process's monotonic clock: measured once for each line and then kept, so
 * that all requests of a run have the same error, and the distances between them none.
 */
export interface TimeLines {
  /** @param lineAtMs by Postgres' clock */
  beginMs(runId: number, lineAtMs: number): Promise<number>;
}

/**
 * @param databaseMs reads Postgres' clock, Unix milliseconds
 * @param now the monotonic clock
 */
export function createTimeLines(databaseMs: () => Promise<number>, now: () => number): TimeLines {
  const lines = new Map<number, { lineAtMs: number; beginMs: Promise<number> }>();

  async function measure(lineAtMs: number): Promise<number> {
    let [best, offset] = [Number.POSITIVE_INFINITY, 0];
    for (let i = 0; i < readings; i += 1) {
      const askedMs = now();
      const there = await databaseMs();
      const tookMs = now() - askedMs;
      if (tookMs < best) [best, offset] = [tookMs, there - (askedMs + tookMs / 2)];
    }
    return lineAtMs - offset;
  }

  return {
    beginMs(runId, lineAtMs) {
      const known = lines.get(runId);
      if (known?.lineAtMs === lineAtMs) return known.beginMs;
      const beginMs = measure(lineAtMs);
      beginMs.catch(() => lines.delete(runId));
      lines.delete(runId);
      lines.set(runId, { lineAtMs, beginMs });
      const [oldest] = lines.keys();
      if (lines.size > linesMax && oldest !== undefined) lines.delete(oldest);
      return beginMs;
    },
  };
}
