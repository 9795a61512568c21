import { UnderstudyError } from "../errors.js";
import { finishedOf, type SetCounts, sum } from "./set.js";

/**
 * A candidate that never answered was not tested; that it is down is no statement about the model.
 * @throws UnderstudyError `conflict`
 */
export function refuseDown(candidate: string, counts: SetCounts, hint: string): void {
  const finished = finishedOf(counts);
  const { network = 0, timeout = 0 } = counts.candidateError;
  if (finished === 0 || network + timeout < finished || sum(counts.candidateError) < finished) return;
  throw new UnderstudyError(
    "conflict",
    `The candidate ${candidate} has not answered one of ${finished.toLocaleString("en-US")} requests: ` +
      `${network.toLocaleString("en-US")} connections failed, ${timeout.toLocaleString("en-US")} timed out.`,
    { hint },
  );
}
