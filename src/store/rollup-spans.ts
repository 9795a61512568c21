import { Prisma } from "./generated/client.js";
import { type RollupLevel, rollupLevels } from "./rollup-levels.js";
import { column, timeOrEdge } from "./sql.js";
import type { TimeRange } from "./types.js";

/** Rows of one level, by their start: from `fromMs` on and before `toMs`. */
export interface RollupSpan {
  level: RollupLevel;
  fromMs: number;
  toMs: number;
  /** Whether their counts are added, or taken away, since a coarser row has too many, or not read. */
  counts: 1 | -1 | 0;
  /** Whether their maximum counts: that of a coarser row may lie outside of the range. */
  max: boolean;
}

/** From when on rollups of the finer levels are kept, Unix milliseconds, on whole UTC days. */
export interface RollupHorizons {
  minuteMs: number;
  hourMs: number;
}

/** Before all times and after them. */
const start = Number.NEGATIVE_INFINITY;
const end = Number.POSITIVE_INFINITY;

/** A range in its levels, and as it was widened. */
export interface Spans {
  fromMs: number;
  toMs: number;
  spans: readonly RollupSpan[];
}

export const allTime: Spans = {
  fromMs: start,
  toMs: end,
  spans: [whole("ever", { fromMs: start, toMs: end })],
};

/**
 * A range in weeks, at their edges in ever finer levels: exactly, from few rows. A range is widened to whole minutes, or to
 * what is still kept where it begins or ends.
 *
 * @param nowMs after which there are no rows yet, Unix milliseconds
 */
export function spansOf(range: TimeRange, horizons: RollupHorizons, nowMs = Date.now()): Spans {
  const fromMs = range.fromMs === null ? start : floor(range.fromMs, stepAt(range.fromMs, horizons));
  const toMs = range.toMs === null ? end : ceil(range.toMs, stepAt(range.toMs, horizons));
  if (fromMs === start && toMs === end) return allTime;
  const spansBy = (rounded: Rounding) =>
    cover({ fromMs, toMs }, rounded).filter((span) => lengthOf(span) > 0);
  const [within, fewest] = [spansBy(inward), spansBy(nearest(nowMs))];
  if (rowsOf(within, nowMs) <= rowsOf(fewest, nowMs)) return { fromMs, toMs, spans: within };
  // From a maximum nothing can be taken away.
  const counted = fewest.map((span) => ({
    ...span,
    max: span.counts > 0 && isWithin(span, { fromMs, toMs }),
  }));
  const others = within.filter((span) => !counted.some((one) => one.max && isWithin(span, one)));
  return { fromMs, toMs, spans: [...counted, ...others.map((span) => ({ ...span, counts: 0 as const }))] };
}

/** Those whose counts are read: all that is needed of what has no maximum. */
export function countedSpans(spans: readonly RollupSpan[]): RollupSpan[] {
  return spans.filter(({ counts }) => counts !== 0);
}

/** In FROM: the rows `span(level, "from", "to", sign, max)`. */
export function spanRows(spans: readonly RollupSpan[]): Prisma.Sql {
  return Prisma.sql`unnest(
      ${column(spans, ({ level }) => level)}::text[],
      ${column(spans, (span) => timeOrEdge(span.fromMs))}::timestamptz[],
      ${column(spans, (span) => timeOrEdge(span.toMs))}::timestamptz[],
      ${column(spans, ({ counts }) => counts)}::int[],
      ${column(spans, ({ max }) => max)}::bool[]
    ) AS span(level, "from", "to", sign, max)`;
}

type Range = Pick<RollupSpan, "fromMs" | "toMs">;

function isWithin(some: Range, range: Range): boolean {
  return some.fromMs >= range.fromMs && some.toMs <= range.toMs;
}

function whole(level: RollupLevel, range: Range): RollupSpan {
  return { level, ...range, counts: 1, max: true };
}

/** The whole rows of a coarser level, `ms` long, that a range is mostly read from. */
type Rounding = (range: Range, ms: number) => Range;

/** Those within the range. */
const inward: Rounding = ({ fromMs, toMs }, ms) => ({ fromMs: ceil(fromMs, ms), toMs: floor(toMs, ms) });

/** Those that leave the least to be added, or taken away, at either edge. */
const nearest =
  (nowMs: number): Rounding =>
  ({ fromMs, toMs }, ms) => {
    const [beforeFrom, afterFrom] = [floor(fromMs, ms), ceil(fromMs, ms)];
    const [beforeTo, afterTo] = [floor(toMs, ms), ceil(toMs, ms)];
    return {
      fromMs: fromMs - beforeFrom < Math.min(afterFrom, nowMs) - fromMs ? beforeFrom : afterFrom,
      toMs: Math.min(afterTo, nowMs) - toMs < toMs - beforeTo ? afterTo : beforeTo,
    };
  };

/** A range of whole rows of one level, by this level and those above it. */
function cover(range: Range, rounded: Rounding, index = 0): RollupSpan[] {
  const [{ level }, above] = [rollupLevels[index]!, rollupLevels[index + 1]];
  if (above === undefined) return [whole(level, range)];
  const inner = rounded(range, above.ms);
  const [before, after] = [
    between(level, range.fromMs, inner.fromMs),
    between(level, inner.toMs, range.toMs),
  ];
  if (lengthOf(before) + lengthOf(after) >= lengthOf(range)) return [whole(level, range)];
  return [before, ...cover(inner, rounded, index + 1), after];
}

/** What lies between two times, to be added; to be taken away where they are the other way round. */
function between(level: RollupLevel, fromMs: number, toMs: number): RollupSpan {
  if (fromMs <= toMs) return whole(level, { fromMs, toMs });
  return { ...whole(level, { fromMs: toMs, toMs: fromMs }), counts: -1 };
}

function lengthOf({ fromMs, toMs }: Range): number {
  return fromMs === toMs ? 0 : toMs - fromMs;
}

/** How many rows are read, those of before 1970 left out. */
function rowsOf(spans: readonly RollupSpan[], nowMs: number): number {
  const within = (atMs: number) => Math.max(0, Math.min(nowMs, atMs));
  return spans.reduce(
    (sum, span) => sum + (within(span.toMs) - within(span.fromMs)) / lengthOfRow(span.level),
    0,
  );
}

/** How finely the time around a moment is kept. */
function stepAt(atMs: number, horizons: RollupHorizons): number {
  if (atMs < horizons.hourMs) return lengthOfRow("day");
  return lengthOfRow(atMs < horizons.minuteMs ? "hour" : "minute");
}

function lengthOfRow(of: RollupLevel): number {
  return rollupLevels.find(({ level }) => level === of)!.ms;
}

function floor(atMs: number, stepMs: number): number {
  if (!Number.isFinite(atMs)) return atMs;
  return Math.floor(atMs / stepMs) * stepMs;
}

function ceil(atMs: number, stepMs: number): number {
  return Number.isFinite(atMs) ? Math.ceil(atMs / stepMs) * stepMs : atMs;
}
