import { alternativeLogWeights, alternativeShifts, tiltCost } from "./evidence.js";

/** Large enough to be an alarm at any run length, small enough to multiply zero. */
const valueMax = 1e300;

/** One value per alternative: plain numbers, so that a row or JSON can keep them. */
export type ChangeDetector = readonly number[];

/** A detector that has seen nothing: at the start of a run, and again when its alarm was resolved. */
export function restartedDetector(): ChangeDetector {
  return alternativeShifts.map(() => 0);
}

/**
 * Watches a rate for a change above a limit, for as long as wanted: an e-detector of Shiryaev and Roberts' kind. Each
 * alternative's value goes from M to (M + trials)·e^(δ·events) / (1 + limit·(e^δ − 1))^trials: every request starts
 * evidence of its own, so good data of the past does not hold back the alarm as it would in a test. A batch (a
 * minute's counts) is taken at once.
 *
 * Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", arXiv
 * 2203.03532.
 *
 * @param limit fraction, 0 to 1
 */
export function advanced(
  detector: ChangeDetector,
  batch: { trials: number; events: number },
  limit: number,
): ChangeDetector {
  const { trials, events } = batch;
  if (limit === 0 && events > 0) return detector.map(() => valueMax);
  return detector.map((value, index) => {
    const shift = alternativeShifts[index]!;
    const factor = Math.exp(shift * events - tiltCost(limit, shift) * trials);
    return Math.min(valueMax, (value + trials) * factor);
  });
}

/**
 * Whether to raise the alarm. As long as the chance of an event, given all before, is at most the limit, the mean
 * number of requests up to an alarm is `requestsPerFalseAlarm` at least (the detector's value less the number of
 * requests is a supermartingale).
 *
 * @param requestsPerFalseAlarm the stated average run length, in requests that count
 */
export function isAlarm(detector: ChangeDetector, requestsPerFalseAlarm: number): boolean {
  return detectorValue(detector) >= requestsPerFalseAlarm;
}

/** In requests: what {@link isAlarm} compares with the run length. */
export function detectorValue(detector: ChangeDetector): number {
  return detector.reduce((sum, value, index) => sum + value * Math.exp(alternativeLogWeights[index]!), 0);
}
