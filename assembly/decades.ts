import { totalOf, upperHalves } from "./lanes";
import { belowDecades, decadeCounts, decades, errors } from "./memory";

/**
 * Counts a block's errors by decade, five decades at a time from the largest error down, which is nearly always enough.
 * The numbers that decades begin with have no lower half, so that comparing upper halves compares the numbers.
 *
 * @param count a multiple of 4
 * @param largest of the errors
 */
export function countDecades(count: i32, largest: f64): void {
  const top = <i32>(reinterpret<i64>(largest) >> 32);
  let decade = decades - 1;
  while (decade > 0 && load<i32>(belowAt(decade)) >= top) decade--;
  const end = errors + ((<usize>count) << 3);
  const lowest = below(0);
  let counted = 0;
  do {
    const below0 = below(decade);
    const below1 = below(decade - 1);
    const below2 = below(decade - 2);
    const below3 = below(decade - 3);
    const below4 = below(decade - 4);
    let n0 = i32x4.splat(0);
    let n1 = n0;
    let n2 = n0;
    let n3 = n0;
    let n4 = n0;
    let nonzero = n0;
    for (let at = errors; at < end; at += 32) {
      const halves = upperHalves(at);
      n0 = i32x4.sub(n0, i32x4.gt_s(halves, below0));
      n1 = i32x4.sub(n1, i32x4.gt_s(halves, below1));
      n2 = i32x4.sub(n2, i32x4.gt_s(halves, below2));
      n3 = i32x4.sub(n3, i32x4.gt_s(halves, below3));
      n4 = i32x4.sub(n4, i32x4.gt_s(halves, below4));
      nonzero = i32x4.sub(nonzero, i32x4.gt_s(halves, lowest));
    }
    counted = add(decade, counted, totalOf(n0));
    counted = add(decade - 1, counted, totalOf(n1));
    counted = add(decade - 2, counted, totalOf(n2));
    counted = add(decade - 3, counted, totalOf(n3));
    counted = add(decade - 4, counted, totalOf(n4));
    if (counted == totalOf(nonzero)) return;
    decade -= 5;
  } while (decade >= 0);
}

@inline
function below(decade: i32): v128 {
  // From memory: a splat of a local would be made anew in every turn of the loop.
  return v128.load32_splat(belowAt(max(decade, 0)));
}

@inline
function belowAt(decade: i32): usize {
  return belowDecades + ((<usize>decade) << 2);
}

/** @returns how many errors are in this decade or above */
@inline
function add(decade: i32, above: i32, fromHereUp: i32): i32 {
  // Below the lowest decade `fromHereUp` is that of the lowest, and nothing is left to be added.
  const at = decadeCounts + ((<usize>max(decade, 0)) << 3);
  store<f64>(at, load<f64>(at) + <f64>(fromHereUp - above));
  return fromHereUp;
}
