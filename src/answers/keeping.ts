import type { Result } from "../compare/types.js";
import type { OutcomeRow } from "../store/types.js";
import type { Observation } from "../upstream/observation.js";
import type { Answer } from "./answers-file.js";

/**
 * Which of a candidate's answers a deployment keeps: all; those whose comparison is not a plain match; none; or a
 * share of all, 0 to 1.
 */
export type KeepAnswers = "all" | "divergent" | "none" | number;

export const keepAnswersDefault: KeepAnswers = "all";
/** Of one deployment and one UTC day of captures: 2 GiB. */
export const answersBytesPerDayDefault = 2 * 1024 ** 3;

/** A larger answer is not kept. */
const answerBytesMax = 8 * 1024 ** 2;
/** Held in memory for one work; answers beyond it are not kept. */
const workBytesMax = 64 * 1024 ** 2;

/** Whether an answer is to be kept. A share chooses by the capture's id, so a second delivery chooses the same. */
export function isToBeKept(keep: KeepAnswers, captureId: string, result: Result): boolean {
  switch (keep) {
    case "all":
      return true;
    case "divergent":
      return result !== "match";
    case "none":
      return false;
    default:
      return isInShare(captureId, keep);
  }
}

/** Chosen by the last eight digits of a UUIDv7, which are random: the same at every delivery. */
function isInShare(captureId: string, share: number): boolean {
  return Number.parseInt(captureId.slice(-8), 16) / 2 ** 32 < share;
}

/** Outcomes without the outputs of matches beyond the share that is kept. What they counted stays. */
export function withKeptDetails(rows: readonly OutcomeRow[], share: number): OutcomeRow[] {
  return rows.map((row) =>
    row.result !== "match" || isInShare(row.captureId, share) ? row : { ...row, outputs: [] },
  );
}

/** The answers of one work that are to be kept, as they come in. */
export interface AnswerCollection {
  readonly answers: readonly Answer[];
  offer(captureId: string, observation: Observation, result: Result): void;
}

export function collectAnswers(keep: KeepAnswers): AnswerCollection {
  const answers: Answer[] = [];
  let bytes = 0;
  return {
    answers,
    offer(captureId, observation, result) {
      if (!isToBeKept(keep, captureId, result)) return;
      const size = observation.ok ? observation.body.length : 0;
      if (size > answerBytesMax || bytes + size > workBytesMax) return;
      bytes += size;
      answers.push({ captureId, observation });
    },
  };
}
