import { minuteOf } from "../ids.js";
import { time } from "./sql.js";
import type { TimeRange } from "./types.js";

const minuteMs = 60_000;

/** A range widened to whole minutes, as literals of timestamptz: what is counted by the minute cannot be cut finer. */
export function wholeMinutes({ fromMs, toMs }: TimeRange): { from: string; to: string } {
  return {
    from: fromMs === null ? "-infinity" : time(minuteOf(fromMs)),
    to: toMs === null ? "infinity" : time(minuteOf(toMs + minuteMs - 1)),
  };
}
