import { Prisma } from "./generated/client.js";
import { column, timeOrEdge } from "./sql.js";
import type { TimeRange } from "./types.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** The levels of rollups, each adding up the one before it; `ever` is all there is, in one row. */
export type RollupLevel = "minute" | "ten_minutes" | "hour" | "day" | "ever";

/** Those that a range is covered by, and how long each of their rows is. */
const levels: readonly { level: RollupLevel; ms: number }[] = [
  { level: "minute", ms: minuteMs },
  { level: "ten_minutes", ms: 10 * minuteMs },
  { level: "hour", ms: hourMs },
  { level: "day", ms: dayMs },
];

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
 * A range in days, at their edges in hours, at theirs in ten minutes and in minutes: exactly, from few rows. A range is
 * widened to whole minutes, or to what is still kept where it begins or ends.
 */
export function spansOf(range: TimeRange, horizons: RollupHorizons): Spans {
  const fromMs = range.fromMs === null ? start : floor(range.fromMs, stepAt(range.fromMs, horizons));
  const toMs = range.toMs === null ? end : ceil(range.toMs, stepAt(range.toMs, horizons));
  if (fromMs === start && toMs === end) return allTime;
  return { fromMs, toMs, spans: cover({ fromMs, toMs }, 0).filter((span) => span.fromMs < span.toMs) };
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

function whole(level: RollupLevel, range: Range): RollupSpan {
  return { level, ...range, counts: 1, max: true };
}

/** A range of whole rows of one level, by this level and those above it. */
function cover({ fromMs, toMs }: Range, level: number): RollupSpan[] {
  const above = levels[level + 1];
  if (above === undefined) return [whole(levels[level]!.level, { fromMs, toMs })];
  const inner = { fromMs: ceil(fromMs, above.ms), toMs: floor(toMs, above.ms) };
  if (inner.fromMs > inner.toMs) return edge({ fromMs, toMs }, level);
  return [
    ...edge({ fromMs, toMs: inner.fromMs }, level),
    ...cover(inner, level + 1),
    ...edge({ fromMs: inner.toMs, toMs }, level),
  ];
}

/**
 * A part of one row of the level above. Counts are read from whichever rows are fewer: the part's own, or that one and
 * those of its rest. In a maximum nothing can be taken away, but it is short.
 */
function edge(range: Range, index: number): RollupSpan[] {
  const [{ level }, above] = [levels[index]!, levels[index + 1]!];
  if (2 * (range.toMs - range.fromMs) <= above.ms) return [whole(level, range)];
  const cell = { fromMs: floor(range.fromMs, above.ms), toMs: ceil(range.toMs, above.ms) };
  return [
    { level: above.level, ...cell, counts: 1, max: false },
    { level, fromMs: cell.fromMs, toMs: range.fromMs, counts: -1, max: false },
    { level, ...range, counts: 0, max: true },
    { level, fromMs: range.toMs, toMs: cell.toMs, counts: -1, max: false },
  ];
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
