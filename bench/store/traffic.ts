import { segmentCaptures } from "../../src/capture/spool.js";
import { dayOf } from "../../src/ids.js";
import type { OutcomeRow } from "../../src/store/types.js";
import { outcomesOfWork } from "./rows.js";

export const worksPerRound = 8;

/** Milliseconds between two requests. */
const everyMs = 10;

/** The outcomes of one more round, work by work: of captures of today, later than all before them. */
export type Traffic = () => OutcomeRow[][];

export function createTraffic(): Traffic {
  let atMs = Date.parse(`${dayOf(Date.now())}T00:00:00Z`);
  return () =>
    Array.from({ length: worksPerRound }, () => {
      const rows = outcomesOfWork(atMs, everyMs);
      atMs += segmentCaptures * everyMs;
      return rows;
    });
}
