import { Prisma } from "./generated/client.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/**
 * What a range is covered by: how long the rows of each level are, each adding up some of the level before it. At an edge
 * of a range, up to half as many rows are read of each as make one of the next, so the steps are small. All start at whole
 * multiples of their length since 1970, so days are those of UTC, and weeks begin on Thursdays.
 */
export const rollupLevels = [
  { level: "minute", ms: minuteMs },
  { level: "five_minutes", ms: 5 * minuteMs },
  { level: "quarter_hour", ms: 15 * minuteMs },
  { level: "hour", ms: hourMs },
  { level: "four_hours", ms: 4 * hourMs },
  { level: "day", ms: 24 * hourMs },
  { level: "week", ms: 7 * 24 * hourMs },
] as const;

/** The level that a row is of; `ever` is all there is, in one row. */
export type RollupLevel = (typeof rollupLevels)[number]["level"] | "ever";

/** The levels kept for as long as minutes, and as hours, are; days and weeks are kept as long as the run. */
export const keptAsMinutes: readonly RollupLevel[] = ["minute", "five_minutes", "quarter_hour"];
export const keptAsHours: readonly RollupLevel[] = ["hour", "four_hours"];

/** In VALUES: for each level its name and the start of its row that holds a minute, by the name of that column. */
export function rowsHolding(column: string): Prisma.Sql[] {
  return rollupLevels.map(({ level, ms }) =>
    Prisma.raw(`'${level}', date_bin('${ms / minuteMs} minutes', ${column}, 'epoch')`),
  );
}
