import { UnderstudyError } from "../errors.js";
import type { Candidate } from "../store/types.js";
import { countText } from "./numbers.js";
import { finishedOf, type SetCounts, sum } from "./set.js";

/**
 * A candidate that never answered was not tested; that it is down is no statement about the model.
 * @throws UnderstudyError `conflict`
 */
export function refuseDown(candidate: string, counts: SetCounts, hint: string): void {
  const finished = finishedOf(counts);
  const { network = 0, timeout = 0 } = counts.candidateError;
  if (finished === 0 || network + timeout < finished || sum(counts.candidateError) < finished) return;
  throw unanswered(
    candidate,
    finished,
    `${countText(network)} connections failed, ${countText(timeout)} timed out.`,
    hint,
  );
}

/**
 * The same while workers find it away: they put its works off, so that nothing is finished that could be counted.
 *
 * @param wanted how many requests wait for it, none of them finished
 * @throws UnderstudyError `conflict`
 */
export function refuseAway(
  { name, breaker }: Pick<Candidate, "name" | "breaker">,
  wanted: number,
  hint: string,
): void {
  if (breaker !== null && wanted > 0) throw unanswered(name, wanted, breaker.reason, hint);
}

const unanswered = (candidate: string, requests: number, why: string, hint: string) =>
  new UnderstudyError(
    "conflict",
    `The candidate ${candidate} has not answered one of ${countText(requests)} requests: ${why}`,
    { hint },
  );
