import { maxOf } from "./lanes";
import { errors, groupMaxima, groupPairs, worstErrors, worstIndices, worstMax } from "./memory";

const lastPlace: usize = (worstMax - 1) << 3;

/** Errors up to this cannot enter the list of the worst. */
@inline
export function floorOfWorst(): f64 {
  return load<f64>(worstErrors + lastPlace);
}

/**
 * Puts those of a block's errors that belong there into the list of the worst; of equal ones the first stays ahead.
 *
 * @param count a multiple of 4
 * @param first flat index of the block's first pair
 */
export function collectWorst(count: i32, first: f64): void {
  const groups = (count + groupPairs - 1) / groupPairs;
  let floor = max(floorOfWorst(), floorOfBlock(groups));
  for (let group = 0; group < groups; group++) {
    if (!(maximumOf(group) > floor)) continue;
    const end = min(count, (group + 1) * groupPairs);
    for (let i = group * groupPairs; i < end; i += 4) {
      const at = errors + ((<usize>i) << 3);
      const floors = f64x2.splat(floor);
      const above = v128.or(f64x2.gt(v128.load(at), floors), f64x2.gt(v128.load(at, 16), floors));
      if (!v128.any_true(above)) continue;
      for (let k = 0; k < 4; k++) {
        const error = load<f64>(at + ((<usize>k) << 3));
        if (!(error > floor)) continue;
        insert(error, first + <f64>(i + k));
        floor = max(floor, floorOfWorst());
      }
    }
  }
}

/**
 * What the ten worst of this block alone exceed: with the five largest maxima of either lane there are ten errors as
 * large as the least of these. Without it the first block would fill the list over and over.
 */
function floorOfBlock(groups: i32): f64 {
  let first = f64x2.splat(0);
  let second = first;
  let third = first;
  let fourth = first;
  let fifth = first;
  const end = groupMaxima + ((<usize>groups) << 4);
  for (let at = groupMaxima; at < end; at += 16) {
    let rest = v128.load(at);
    let larger = f64x2.pmax(first, rest);
    rest = f64x2.pmin(first, rest);
    first = larger;
    larger = f64x2.pmax(second, rest);
    rest = f64x2.pmin(second, rest);
    second = larger;
    larger = f64x2.pmax(third, rest);
    rest = f64x2.pmin(third, rest);
    third = larger;
    larger = f64x2.pmax(fourth, rest);
    rest = f64x2.pmin(fourth, rest);
    fourth = larger;
    fifth = f64x2.pmax(fifth, rest);
  }
  const least = min(f64x2.extract_lane(fifth, 0), f64x2.extract_lane(fifth, 1));
  return least > 0 ? reinterpret<f64>(reinterpret<i64>(least) - 1) : 0;
}

@inline
function maximumOf(group: i32): f64 {
  return maxOf(v128.load(groupMaxima + ((<usize>group) << 4)));
}

function insert(error: f64, index: f64): void {
  let place = lastPlace;
  while (place > 0 && load<f64>(worstErrors + place - 8) < error) {
    store<f64>(worstErrors + place, load<f64>(worstErrors + place - 8));
    store<f64>(worstIndices + place, load<f64>(worstIndices + place - 8));
    place -= 8;
  }
  store<f64>(worstErrors + place, error);
  store<f64>(worstIndices + place, index);
}
