import { evidenceOver, evidenceUnder, type RateCounts } from "./evidence.js";
import { requireAlpha } from "./verdict.js";

const halvings = 50;

/**
 * Between which limits a rate lies, at any time and as often as looked at: a confidence sequence. Its lower end is
 * the largest limit that would fail on these counts, its upper end the smallest that would pass, each at
 * `alphaPerEnd`, so it says the same as the test of a rate. Each end is wrong at any time with probability
 * `alphaPerEnd` at most. Wider than Wilson's interval, which is right at one look only.
 *
 * Found by bisection: evidence over a limit falls as the limit rises (its derivative in the limit is negative).
 *
 * @returns `[low, high]`, fractions; `[0, 1]` without trials
 */
export function rateBounds(counts: RateCounts, alphaPerEnd: number): [number, number] {
  requireAlpha(alphaPerEnd);
  const { trials, events, remaining } = counts;
  if (trials === 0) return [0, 1];
  if (remaining === 0) return [events / trials, events / trials];
  const needed = -Math.log(alphaPerEnd);
  const rate = events / trials;
  const low = edge(0, rate, (limit) => evidenceOver(limit)(counts) >= needed);
  const high = edge(1, rate, (limit) => evidenceUnder(limit)(counts) >= needed);
  return [low, high];
}

/** The end of the limits that are refuted, on the way from `from` to `to`; `from` when not even that is. */
function edge(from: number, to: number, refuted: (limit: number) => boolean): number {
  let outside = from;
  let inside = to;
  for (let step = 0; step < halvings; step++) {
    const middle = (outside + inside) / 2;
    if (refuted(middle)) outside = middle;
    else inside = middle;
  }
  return outside;
}
