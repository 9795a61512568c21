import { Prisma } from "./generated/client.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/**
 * What a range is covered by: how long the rows of each level are, each adding up some of the level before it. At an edge
 * of a range, up to half as many rows are read of each as make one of the next, so the steps are small. All start at whole
 * multiples of their length since 1970, so days are those of UTC, and weeks begin on Thursdays.
 */
export const rollupLevels = [
  { level: "minute", ms: minuteMs, keptAs: "minute" },
  { level: "five_minutes", ms: 5 * minuteMs, keptAs: "minute" },
  { level: "quarter_hour", ms: 15 * minuteMs, keptAs: "minute" },
  { level: "hour", ms: hourMs, keptAs: "hour" },
  { level: "four_hours", ms: 4 * hourMs, keptAs: "hour" },
  { level: "day", ms: 24 * hourMs, keptAs: "day" },
  { level: "week", ms: 7 * 24 * hourMs, keptAs: "day" },
] as const;

/** The level that a row is of; `ever` is all there is, in one row. */
export type RollupLevel = (typeof rollupLevels)[number]["level"] | "ever";

/** The levels whose rows are kept for as long as those of minutes, of hours, or of days, which is as long as the run. */
export function levelsKeptAs(finest: "minute" | "hour" | "day"): RollupLevel[] {
  return rollupLevels.filter(({ keptAs }) => keptAs === finest).map(({ level }) => level);
}

/** In VALUES: for each level its name and the start of its row that holds a minute, by the name of that column. */
export function rowsHolding(column: string): Prisma.Sql[] {
  return rollupLevels.map(({ level, ms }) =>
    Prisma.raw(`'${level}', date_bin('${ms / minuteMs} minutes', ${column}, 'epoch')`),
  );
}
