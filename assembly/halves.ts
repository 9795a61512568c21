/** Widens 16-bit floats to float32, four at a time; every one of them is exact. */
export function widenHalves(from: usize, to: usize, count: i32, bfloat: bool): void {
  const end = from + ((<usize>count) << 1);
  while (from < end) {
    const bits = i32x4.extend_low_i16x8_u(v128.load64_zero(from));
    v128.store(to, bfloat ? i32x4.shl(bits, 16) : fromBinary16(bits));
    from += 8;
    to += 16;
  }
}

/** binary16 to binary32: the exponent grows by 112, or by 224 where it is all ones. */
@inline
function fromBinary16(bits: v128): v128 {
  const magnitude = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
  const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
  const normal = i32x4.add(magnitude, i32x4.splat(112 << 23));
  const special = i32x4.add(magnitude, i32x4.splat(224 << 23));
  // A subnormal lacks the hidden bit: 2⁻¹⁴·(1 + m) − 2⁻¹⁴. (Scaling it up would pass through float32's own, slowly.)
  const offset = i32x4.splat(113 << 23);
  const subnormal = f32x4.sub(i32x4.add(magnitude, offset), offset);
  const finite = v128.bitselect(subnormal, normal, i32x4.lt_s(magnitude, i32x4.splat(1 << 23)));
  const value = v128.bitselect(special, finite, i32x4.ge_s(magnitude, i32x4.splat(31 << 23)));
  return v128.or(value, sign);
}
