/** Two elements from `at` on, as float64. */
@inline
export function widened<T>(at: usize): v128 {
  if (sizeof<T>() == 4) return f64x2.promote_low_f32x4(v128.load64_zero(at));
  return v128.load(at);
}

@inline
export function sumOf(lanes: v128): f64 {
  return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
}

@inline
export function maxOf(lanes: v128): f64 {
  return max(f64x2.extract_lane(lanes, 0), f64x2.extract_lane(lanes, 1));
}

/** The sum of four counts. */
@inline
export function totalOf(lanes: v128): i32 {
  return (
    i32x4.extract_lane(lanes, 0) +
    i32x4.extract_lane(lanes, 1) +
    i32x4.extract_lane(lanes, 2) +
    i32x4.extract_lane(lanes, 3)
  );
}

/** The upper halves of the four float64 at `at`: sign, exponent and 20 bits of the mantissa, in the numbers' order. */
@inline
export function upperHalves(at: usize): v128 {
  return i8x16.shuffle(
    v128.load(at), v128.load(at, 16),
    4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31,
  );
}
