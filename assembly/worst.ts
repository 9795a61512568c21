import { errors, worstErrors, worstIndices, worstMax } from "./memory";

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
  let floor = floorOfWorst();
  for (let i = 0; i < count; i += 4) {
    const at = errors + ((<usize>i) << 3);
    const floors = f64x2.splat(floor);
    const above = v128.or(f64x2.gt(v128.load(at), floors), f64x2.gt(v128.load(at, 16), floors));
    if (!v128.any_true(above)) continue;
    for (let k = 0; k < 4; k++) {
      const error = load<f64>(at + ((<usize>k) << 3));
      if (error > floor) {
        insert(error, first + <f64>(i + k));
        floor = floorOfWorst();
      }
    }
  }
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
