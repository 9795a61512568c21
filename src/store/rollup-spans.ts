import type { TimeRange } from "./types.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** The levels of rollups, each adding up the one before it; `run` is all of a run, in one row. */
export type RollupLevel = "minute" | "hour" | "day" | "run";

/** Rows of one level, by their start: from `fromMs` on and before `toMs`. */
export interface RollupSpan {
  level: RollupLevel;
  fromMs: number;
  toMs: number;
}

/** From when on rollups of the finer levels are kept, Unix milliseconds, on whole UTC days. */
export interface RollupHorizons {
  minuteMs: number;
  hourMs: number;
}

/** Before all times and after them. */
const never = Number.NEGATIVE_INFINITY;
const ever = Number.POSITIVE_INFINITY;

/** A range in its levels, and as it was widened. */
export interface Spans {
  fromMs: number;
  toMs: number;
  spans: readonly RollupSpan[];
}

/** All of a run. */
export const wholeRun: Spans = {
  fromMs: never,
  toMs: ever,
  spans: [{ level: "run", fromMs: never, toMs: ever }],
};

/**
 * The fewest rows that cover a range exactly: days, at their edges hours, at theirs minutes. A range is widened to
 * whole minutes, or to what is still kept where it begins or ends.
 */
export function spansOf(range: TimeRange, horizons: RollupHorizons): Spans {
  const fromMs = range.fromMs === null ? never : floor(range.fromMs, stepAt(range.fromMs, horizons));
  const toMs = range.toMs === null ? ever : ceil(range.toMs, stepAt(range.toMs, horizons));
  if (fromMs === never && toMs === ever) return wholeRun;
  const hours = { fromMs: ceil(fromMs, hourMs), toMs: floor(toMs, hourMs) };
  const days = { fromMs: ceil(hours.fromMs, dayMs), toMs: floor(hours.toMs, dayMs) };
  const spans: RollupSpan[] =
    hours.fromMs > hours.toMs
      ? [{ level: "minute", fromMs, toMs }]
      : [
          { level: "minute", fromMs, toMs: hours.fromMs },
          ...(days.fromMs > days.toMs
            ? [{ level: "hour" as const, ...hours }]
            : [
                { level: "hour" as const, fromMs: hours.fromMs, toMs: days.fromMs },
                { level: "day" as const, ...days },
                { level: "hour" as const, fromMs: days.toMs, toMs: hours.toMs },
              ]),
          { level: "minute", fromMs: hours.toMs, toMs },
        ];
  return { fromMs, toMs, spans: spans.filter((span) => span.fromMs < span.toMs) };
}

/** How finely the time around a moment is kept. */
function stepAt(atMs: number, horizons: RollupHorizons): number {
  if (atMs < horizons.hourMs) return dayMs;
  return atMs < horizons.minuteMs ? hourMs : minuteMs;
}

function floor(atMs: number, stepMs: number): number {
  if (!Number.isFinite(atMs)) return atMs;
  return Math.floor(atMs / stepMs) * stepMs;
}

function ceil(atMs: number, stepMs: number): number {
  return Number.isFinite(atMs) ? Math.ceil(atMs / stepMs) * stepMs : atMs;
}
