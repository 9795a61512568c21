import { logFalling } from "./log-gamma.js";

/** What was read of a stream or of a sealed selection so far. */
export interface RateCounts {
  /** Requests that count for the rate: for the diff rate, matches and mismatches. */
  trials: number;
  /** Those of them that had what the limit is about. */
  events: number;
  /**
   * Requests of a sealed selection that are still to be read and may yet count; `Infinity` for a stream. Those that
   * turn out not to count (nothing comparable, say) leave it without becoming trials.
   */
  remaining: number;
}

/**
 * The alternatives that evidence is gathered for: odds that are e^shift times those of the limit. A doubling of the
 * odds has the largest weight; they reach from 1 % more to 256 times as much. Any change between two of them is
 * caught by its neighbours.
 */
const alternatives = weighted(
  Array.from({ length: 10 }, (_, index) => index - 6).map((power) => ({
    shift: Math.LN2 * 2 ** power,
    weight: 2 ** (-Math.abs(power) / 2),
  })),
);

function weighted(all: { shift: number; weight: number }[]): { shift: number; logWeight: number }[] {
  const total = all.reduce((sum, { weight }) => sum + weight, 0);
  return all.map(({ shift, weight }) => ({ shift, logWeight: Math.log(weight / total) }));
}

export const alternativeShifts: readonly number[] = alternatives.map(({ shift }) => shift);
export const alternativeLogWeights: readonly number[] = alternatives.map(({ logWeight }) => logWeight);

/**
 * ln of the evidence (an e-value) that the counts give against a hypothesis; 0 when nothing is known, Infinity when
 * it is refuted.
 */
export type Evidence = (counts: RateCounts) => number;

/**
 * Evidence against "the rate is at most `limit`".
 *
 * For a stream it is Σ w·e^(δ·events) / (1 + limit·(e^δ − 1))^trials over the alternatives δ > 0 with weights w. One
 * more request multiplies each term by something whose mean is at most 1 as long as the chance of an event, given all
 * before, is at most `limit`: a test supermartingale. By Ville's inequality it ever reaches 1/α with a probability of
 * α at most, however often it is looked at.
 *
 * For a sealed selection that is read in a random order each term is the likelihood ratio of the hypergeometric law,
 * of a selection with more events against one whose rate is the limit; what was read changes what is left, so this
 * gains faster, and nothing is assumed about the traffic. The supposed numbers of events need not be whole: a term
 * only becomes 0 sooner. This is exact where it is known how many of the remaining count. Where only their largest
 * number is known it is used: it leaves the most open, and exact enumeration in the tests finds the bound kept.
 *
 * Both depend on the counts alone, not on the order in which they came, and cost the same at any count.
 *
 * Sources: Ville 1939; Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math. Stat.
 * 41 (1970), mixtures; Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform Chernoff bounds", arXiv 1808.03204,
 * sub-Bernoulli processes; Waudby-Smith & Ramdas, "Confidence sequences for sampling without replacement", arXiv
 * 2006.04347.
 *
 * @param limit fraction, 0 to 1
 */
export function evidenceOver(limit: number): Evidence {
  const inStream = streamEvidence(limit);
  return (counts) => (counts.remaining === Infinity ? inStream(counts) : selectionEvidence(limit, counts));
}

/** Evidence against "the rate is at least `limit`": that its opposite is over the opposite limit. */
export function evidenceUnder(limit: number): Evidence {
  const over = evidenceOver(1 - limit);
  return ({ trials, events, remaining }) => over({ trials, events: trials - events, remaining });
}

function streamEvidence(limit: number): Evidence {
  const costs = alternativeShifts.map((shift) => tiltCost(limit, shift));
  const logs = new Float64Array(costs.length);
  return ({ trials, events }) => {
    if (limit === 0 && events > 0) return Infinity;
    for (let j = 0; j < costs.length; j++) {
      logs[j] = alternativeLogWeights[j]! + alternativeShifts[j]! * events - costs[j]! * trials;
    }
    return logOfSum(logs);
  };
}

/** ln of the mean of e^(shift·x) for an x that is 1 with probability `limit`, else 0. */
export function tiltCost(limit: number, shift: number): number {
  return Math.log1p(limit * Math.expm1(shift));
}

function selectionEvidence(limit: number, { trials, events, remaining }: RateCounts): number {
  const size = trials + remaining;
  const allowed = allowedEvents(limit, size);
  if (events > allowed) return Infinity;
  if (allowed >= size) return 0;
  const others = trials - events;
  const logs = alternatives.map(({ shift, logWeight }) => {
    const supposed = (size * limit * Math.exp(shift)) / Math.exp(tiltCost(limit, shift));
    if (others > size - supposed) return -Infinity;
    const eventsRatio = logFalling(supposed, events) - logFalling(allowed, events);
    return logWeight + eventsRatio + logFalling(size - supposed, others) - logFalling(size - allowed, others);
  });
  return logOfSum(logs);
}

/**
 * How many events of `size` requests a limit allows: a real number, but an integer where rounding alone would make it
 * none.
 */
export function allowedEvents(limit: number, size: number): number {
  const allowed = limit * size;
  const nearest = Math.round(allowed);
  return Math.abs(allowed - nearest) <= 1e-12 * size ? nearest : allowed;
}

function logOfSum(logs: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let j = 0; j < logs.length; j++) largest = Math.max(largest, logs[j]!);
  if (largest === -Infinity) return -Infinity;
  let sum = 0;
  for (let j = 0; j < logs.length; j++) sum += Math.exp(logs[j]! - largest);
  return largest + Math.log(sum);
}
