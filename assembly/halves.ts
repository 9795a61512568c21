const infinityBits: i32 = 31 << 23;

/** Widens 16-bit floats to float32, four at a time; every one of them is exact. */
export function widenHalves(from: usize, to: usize, count: i32, bfloat: bool): void {
  if (bfloat) widenBfloats(from, to, count);
  // Infinities and NaN are rare: only a block that has one pays for them.
  else if (widenFinite(from, to, count) >= infinityBits) widenAll(from, to, count);
}

function widenBfloats(from: usize, to: usize, count: i32): void {
  const end = from + ((<usize>count) << 1);
  while (from < end) {
    v128.store(to, i32x4.shl(fourAt(from), 16));
    from += 8;
    to += 16;
  }
}

/** @returns the largest magnitude's bits, in float32's places */
function widenFinite(from: usize, to: usize, count: i32): i32 {
  const end = from + ((<usize>count) << 1);
  let largest = i32x4.splat(0);
  while (from < end) {
    const bits = fourAt(from);
    const magnitude = magnitudeOf(bits);
    largest = i32x4.max_s(largest, magnitude);
    v128.store(to, v128.or(finite(magnitude), signOf(bits)));
    from += 8;
    to += 16;
  }
  const two = i32x4.max_s(largest, v128.shuffle<i32>(largest, largest, 2, 3, 0, 1));
  return max(i32x4.extract_lane(two, 0), i32x4.extract_lane(two, 1));
}

function widenAll(from: usize, to: usize, count: i32): void {
  const end = from + ((<usize>count) << 1);
  while (from < end) {
    const bits = fourAt(from);
    const magnitude = magnitudeOf(bits);
    // All ones stay all ones: the exponent grows by 224 then.
    const special = i32x4.add(magnitude, i32x4.splat(224 << 23));
    const isSpecial = i32x4.ge_s(magnitude, i32x4.splat(infinityBits));
    const value = v128.bitselect(special, finite(magnitude), isSpecial);
    v128.store(to, v128.or(value, signOf(bits)));
    from += 8;
    to += 16;
  }
}

@inline
function fourAt(from: usize): v128 {
  return i32x4.extend_low_i16x8_u(v128.load64_zero(from));
}

@inline
function magnitudeOf(bits: v128): v128 {
  return i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
}

@inline
function signOf(bits: v128): v128 {
  return i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
}

/**
 * binary16 to binary32: the exponent grows by 112. A subnormal lacks the hidden bit: it is 2⁻¹⁴·(1 + m) − 2⁻¹⁴, where
 * the former reading gives 2⁻¹⁵·(1 + m). Of a normal x the latter makes 2x − 2⁻¹⁴. So the right one is always the
 * lesser. (Scaling by a multiplication would pass through float32's own subnormals, slowly.)
 */
@inline
function finite(magnitude: v128): v128 {
  const offset = i32x4.splat(113 << 23);
  const normal = i32x4.add(magnitude, i32x4.splat(112 << 23));
  const subnormal = f32x4.sub(i32x4.add(magnitude, offset), offset);
  return f32x4.pmin(normal, subnormal);
}
