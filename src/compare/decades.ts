import type { ErrorHistogram } from "./types.js";

const lowest = -20;
const count = 40;

/**
 * Where the decades begin in which errors are counted: the powers of ten from 10⁻¹⁹ to 10¹⁹, rounded down to 20 bits
 * of mantissa (less than 10⁻⁶ of themselves); so their lower halves are 0, and kernels may compare upper halves only.
 * Before them stands 2⁻¹⁰⁴², the least number with an upper half: what is smaller passes for no error at all.
 */
export const decadeStarts: Float64Array = startsOfDecades();

function startsOfDecades(): Float64Array {
  const starts = Float64Array.from({ length: count }, (_, i) => Number(`1e${lowest + i}`));
  starts[0] = 2 ** -1042;
  const halves = new Uint32Array(starts.buffer);
  for (let i = 0; i < count; i++) halves[2 * i] = 0;
  return starts;
}

/**
 * The place of an error's decade in {@link decadeStarts}; −1 when it passes for none.
 *
 * @param near where to begin looking: errors of one tensor are mostly near each other
 */
export function decadeOf(error: number, near: number): number {
  let place = near;
  while (place + 1 < count && error >= decadeStarts[place + 1]!) place++;
  while (place >= 0 && error < decadeStarts[place]!) place--;
  return place;
}

/** @param counts by place in {@link decadeStarts}; `pairs` that are in none of them are equal */
export function histogramOf(counts: ArrayLike<number>, pairs: number): ErrorHistogram {
  const decades: ErrorHistogram["decades"][number][] = [];
  let equal = pairs;
  for (let place = 0; place < count; place++) {
    const inDecade = counts[place]!;
    if (inDecade === 0) continue;
    decades.push({ decade: lowest + place, pairs: inDecade });
    equal -= inDecade;
  }
  return { equal, decades };
}

export const decadeCount = count;
