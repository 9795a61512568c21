/** Numbers that can be gone through again and again, some at a time; never NaN. */
export type Series = (visit: (values: Float64Array, count: number) => void) => void;

/** A float64 is taken apart into four digits of 16 bits. */
const digitBits = 16;
const digitCount = 2 ** digitBits;

/**
 * The q-quantile of a series as NumPy has it by default: linear between the two values nearest to rank q·(n − 1).
 * Exact, in 512 kB whatever the length: of the bits of the value sought, sixteen more are settled in each pass over
 * the series (a radix selection).
 *
 * @param q fraction, 0 to 1
 * @returns null for an empty series
 */
export function quantileOf(series: Series, q: number): number | null {
  let length = 0;
  series((_, count) => {
    length += count;
  });
  if (length === 0) return null;
  const position = q * (length - 1);
  const rank = Math.floor(position);
  const lower = valueOfRank(series, rank);
  if (position === rank) return lower;
  return between(lower, nextValue(series, lower, rank), position - rank);
}

/** NumPy's interpolation, from whichever end is nearer. */
function between(lower: number, upper: number, share: number): number {
  if (lower === upper) return lower;
  const span = upper - lower;
  if (span === Infinity) return lower === -Infinity ? lower : upper;
  return share < 0.5 ? lower + span * share : upper - span * (1 - share);
}

function valueOfRank(series: Series, rank: number): number {
  const { number, words, ordered } = createBits();
  let rest = rank;
  let high = 0;
  let low = 0;
  for (let digit = 0; digit < 4; digit++) {
    const counts = new Float64Array(digitCount);
    series((values, count) => {
      for (let i = 0; i < count; i++) {
        number[0] = values[i]!;
        ordered();
        if (digit > 0 && words[1]! >>> (digit === 1 ? digitBits : 0) !== high) continue;
        if (digit === 3 && words[0]! >>> digitBits !== low) continue;
        const word = words[digit < 2 ? 1 : 0]!;
        counts[digit % 2 === 0 ? word >>> digitBits : word & (digitCount - 1)]!++;
      }
    });
    let found = 0;
    while (rest >= counts[found]!) rest -= counts[found++]!;
    if (digit < 2) high = high * digitCount + found;
    else low = low * digitCount + found;
  }
  words[1] = high;
  words[0] = low;
  unordered(words);
  return number[0]!;
}

/** The value of the rank after that of `value`. */
function nextValue(series: Series, value: number, rank: number): number {
  let upTo = 0;
  let next = Infinity;
  series((values, count) => {
    for (let i = 0; i < count; i++) {
      const one = values[i]!;
      if (one <= value) upTo++;
      else if (one < next) next = one;
    }
  });
  return upTo > rank + 1 ? value : next;
}

/**
 * A number and its two halves. `ordered` makes unsigned halves that sort as the numbers do: positive numbers are set
 * above the negative ones, whose order their bits have reversed.
 */
function createBits() {
  const number = new Float64Array(1);
  const words = new Uint32Array(number.buffer);
  const ordered = () => {
    if (words[1]! >>> 31 === 0) words[1]! ^= 0x8000_0000;
    else {
      words[0] = ~words[0]!;
      words[1] = ~words[1]!;
    }
  };
  return { number, words, ordered };
}

function unordered(words: Uint32Array): void {
  if (words[1]! >>> 31 === 1) words[1]! ^= 0x8000_0000;
  else {
    words[0] = ~words[0]!;
    words[1] = ~words[1]!;
  }
}
