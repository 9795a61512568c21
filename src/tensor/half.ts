/** A binary float of 16 bits: one of sign, the rest exponent and mantissa. */
interface HalfFormat {
  mantissaBits: number;
  bias: number;
  /** 2^(exponent − bias − mantissaBits) by exponent field; subnormals share the scale of exponent 1. */
  scales: Float64Array;
}

function halfFormat(exponentBits: number): HalfFormat {
  const mantissaBits = 15 - exponentBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const scales = Float64Array.from(
    { length: 2 ** exponentBits },
    (_, exponent) => 2 ** (Math.max(exponent, 1) - bias - mantissaBits),
  );
  return { mantissaBits, bias, scales };
}

/** IEEE 754 binary16. */
const fp16 = halfFormat(5);
/** bfloat16: the upper half of a binary32. */
const bf16 = halfFormat(8);

function toFloat(bits: number, { mantissaBits, scales }: HalfFormat): number {
  const mantissa = bits & ((1 << mantissaBits) - 1);
  const exponent = (bits & 0x7fff) >>> mantissaBits;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === scales.length - 1) return mantissa === 0 ? sign * Infinity : NaN;
  const significand = exponent === 0 ? mantissa : mantissa + (1 << mantissaBits);
  return sign * significand * scales[exponent]!;
}

/** Adding and taking away 2^52 leaves an integer, rounded to nearest, ties to even. For 0 ≤ x < 2^51. */
function roundTiesToEven(x: number): number {
  return x + 2 ** 52 - 2 ** 52;
}

/** floor(log2(x)) for finite x > 0; `Math.log2` alone can be off by one next to a power of two. */
function exponentOf(x: number): number {
  const guess = Math.floor(Math.log2(x));
  if (2 ** guess > x) return guess - 1;
  return 2 ** (guess + 1) <= x ? guess + 1 : guess;
}

function fromFloat(value: number, { mantissaBits, bias, scales }: HalfFormat): number {
  const infinity = (scales.length - 1) << mantissaBits;
  if (Number.isNaN(value)) return infinity | (1 << (mantissaBits - 1));
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === 0) return sign;
  if (magnitude === Infinity) return sign | infinity;
  const exponent = exponentOf(magnitude) + bias;
  if (exponent >= scales.length - 1) return sign | infinity;
  const field = Math.max(exponent, 1);
  const significand = roundTiesToEven(magnitude / scales[field]!);
  // The hidden bit is 1 in `significand`, hence `field - 1`; a carry out of the mantissa lands in the exponent.
  return sign | (((field - 1) << mantissaBits) + significand);
}

/** The value of IEEE 754 binary16 bits. */
export function fp16ToFloat(bits: number): number {
  return toFloat(bits, fp16);
}

/** The value of bfloat16 bits. */
export function bf16ToFloat(bits: number): number {
  return toFloat(bits, bf16);
}

/** The nearest binary16, ties to even; beyond its range, infinity. Rounded once, straight from float64. */
export function floatToFp16(value: number): number {
  return fromFloat(value, fp16);
}

/** The nearest bfloat16, ties to even; beyond its range, infinity. Rounded once, straight from float64. */
export function floatToBf16(value: number): number {
  return fromFloat(value, bf16);
}
