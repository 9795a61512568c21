import { slowerEvidence } from "./latency-evidence.js";
import { type LatencySample, requireLatencies } from "./latency-test.js";
import { requireAlpha } from "./verdict.js";

/** Beyond 1/1024 and 1024 times the control no bound is sought. */
const ratioMax = 1024;
const halvings = 18;

/**
 * Between which multiples of the control's quantile the candidate's lies, at any time and as often as looked at; each
 * end is wrong at any time with probability `alphaPerEnd` at most. It says the same as the test: the lower end is the
 * largest allowed ratio that would fail, the upper one the smallest that would pass. Some forty looks' worth of work:
 * for a report, not for each batch.
 *
 * @returns `[low, high]`, ratios; 0 and Infinity where nothing can be said
 * @throws RangeError as the latency test does
 */
export function latencyRatioBounds(
  sample: LatencySample,
  options: { quantile: number; alphaPerEnd: number },
): [number, number] {
  requireAlpha(options.alphaPerEnd);
  const { candidateMs, controlMs, remaining } = sample;
  requireLatencies(candidateMs, controlMs);
  const slower = slowerEvidence(options.quantile);
  const needed = -Math.log(options.alphaPerEnd);
  const scaled = (ratio: number) => controlMs.map((ms) => ms * ratio);
  const tooSlow = (ratio: number) =>
    slower({ suspectsMs: candidateMs, referencesMs: scaled(ratio), remaining }) >= needed;
  const fastEnough = (ratio: number) =>
    slower({ suspectsMs: scaled(ratio), referencesMs: candidateMs, remaining }) >= needed;
  const low = tooSlow(1 / ratioMax) ? lastTrue(1 / ratioMax, ratioMax, tooSlow) : 0;
  const high = fastEnough(ratioMax) ? lastTrue(ratioMax, 1 / ratioMax, fastEnough) : Infinity;
  return [low, high];
}

/** From where it holds towards where it does not, in equal factors. */
function lastTrue(from: number, to: number, holds: (ratio: number) => boolean): number {
  let inside = from;
  let outside = to;
  for (let step = 0; step < halvings; step++) {
    const middle = Math.sqrt(inside * outside);
    if (holds(middle)) inside = middle;
    else outside = middle;
  }
  return inside;
}
