// Checks the grammar of a list of decimal numbers in JSON, 64 bytes at a time.
//
// SIMD gives each byte of a block one bit in the set of its kind; what may stand behind what is then decided for all 64
// by shifts, and runs of digits are told apart by the carries of an addition (the idea of simdjson: Langdale and
// Lemire, 1902.08318). What the next block has to know of this one is one bit of each set.

/** Bytes that the host copies in at a time: whole blocks. */
export const windowBytes: i32 = 65_536;
export const window: usize = memory.data(65_536, 16);

/** How `scan` ends where the window does not hold the end of the list, and where what it holds is no such list. */
export const goesOn: i32 = -1;
export const isOther: i32 = -2;

/** More digits before the point are left to the host: such a number may be beyond float32. */
const wholeDigitsMax: u64 = 9;

// Whether the byte before the block is of this kind: 0 or 1. The opening bracket counts as a separator.
let wasSeparator: u64;
let wasDigit: u64;
let wasPoint: u64;
let wasExponent: u64;
let wasLeadingMinus: u64;
let wasExponentMinus: u64;
let wasLeadingZero: u64;
let wasWhole: u64;
let wasFraction: u64;
/** The digits of the block before that stand before a point. */
let wholeBefore: u64;
let commas: i32;
let fractional: bool;

/** Begins a list, with what stands behind its opening bracket. */
export function begin(): void {
  wasSeparator = 1;
  wasDigit = wasPoint = wasExponent = wasLeadingMinus = wasExponentMinus = 0;
  wasLeadingZero = wasWhole = wasFraction = wholeBefore = 0;
  commas = 0;
  fractional = false;
}

/** How many numbers there are, once the end of the list was found. */
export function count(): i32 {
  return commas + 1;
}

/** Whether any of them has a fraction or an exponent. */
export function hasFraction(): bool {
  return fractional;
}

/**
 * Looks at the next bytes of the list, which fill the window unless they are the last that there are.
 * @returns where in the window the closing bracket stands, or `goesOn`, or `isOther`
 */
export function scan(bytes: i32): i32 {
  for (let at = 0; at < bytes; at += 64) {
    const end = scanBlock(window + <usize>at, bytes - at);
    if (end == isOther) return isOther;
    if (end >= 0) return at + end;
  }
  return goesOn;
}

function scanBlock(at: usize, bytes: i32): i32 {
  const a = v128.load(at);
  const b = v128.load(at, 16);
  const c = v128.load(at, 32);
  const d = v128.load(at, 48);
  let inside: u64 = bytes < 64 ? below(bytes) : ~(<u64>0);
  const bracket = equalTo(93, a, b, c, d) & inside;
  const end = bracket == 0 ? goesOn : <i32>ctz(bracket);
  if (end >= 0) inside = below(end);

  const digits = maskOf(isDigit(a), isDigit(b), isDigit(c), isDigit(d)) & inside;
  const points = equalTo(46, a, b, c, d) & inside;
  const exponents = maskOf(isExponent(a), isExponent(b), isExponent(c), isExponent(d)) & inside;
  const minuses = equalTo(45, a, b, c, d) & inside;
  const comma = equalTo(44, a, b, c, d) & inside;
  // Many lists have none, and to look for four kinds of them costs the most.
  const others = inside & ~(digits | points | exponents | minuses | comma);
  const spaces = others == 0 ? 0 : others & maskOf(isSpace(a), isSpace(b), isSpace(c), isSpace(d));
  if (spaces != others) return isOther;

  // Space stands before a number and not behind one, which is how everybody writes it; a comma behind a number.
  const separators = comma | spaces;
  const behindSeparator = behind(separators, wasSeparator);
  const behindDigit = behind(digits, wasDigit);
  if ((spaces & ~behindSeparator) != 0 || (comma & ~behindDigit) != 0) return isOther;
  // A minus begins a number or an exponent: one that has none could make a number greater.
  const leadingMinuses = minuses & behindSeparator;
  const exponentMinuses = minuses & behind(exponents, wasExponent);
  if ((leadingMinuses | exponentMinuses) != minuses) return isOther;

  // Each digit belongs to what stands before a point, behind it, or to an exponent.
  const leading = digits & (behindSeparator | behind(leadingMinuses, wasLeadingMinus));
  const whole = runsFrom(leading | (digits & wasWhole), digits);
  const fraction = runsFrom(digits & (behind(points, wasPoint) | wasFraction), digits);
  const powerStarts = digits & ~whole & ~fraction & ~behindDigit;
  if ((powerStarts & ~behind(exponentMinuses, wasExponentMinus)) != 0) return isOther;
  const behindWhole = behind(whole, wasWhole);
  if ((points & ~behindWhole) != 0) return isOther;
  if ((exponents & ~(behindWhole | behind(fraction, wasFraction))) != 0) return isOther;
  // Most numbers have one digit there: it may be a zero, and is not too long.
  if ((whole & behindWhole) != 0) {
    const leadingZeros = leading & equalTo(48, a, b, c, d);
    if ((digits & behind(leadingZeros, wasLeadingZero)) != 0 || isTooLong(whole)) return isOther;
  }
  // That a point, a minus and an exponent are followed by what they need was not asked: all else was refused there.

  commas += <i32>popcnt(comma);
  if ((points | exponents) != 0) fractional = true;
  if (end >= 0) {
    const last = end == 0 ? wasDigit : digits >> <u64>(end - 1);
    return last != 0 ? end : isOther;
  }
  wasSeparator = separators >> 63;
  wasDigit = digits >> 63;
  wasPoint = points >> 63;
  wasExponent = exponents >> 63;
  wasLeadingMinus = leadingMinuses >> 63;
  wasExponentMinus = exponentMinuses >> 63;
  wasLeadingZero = load<u8>(at, 63) == 48 ? leading >> 63 : 0;
  wasWhole = whole >> 63;
  wasFraction = fraction >> 63;
  wholeBefore = whole;
  return goesOn;
}

/** The bytes behind those of a set. @param before 1 where the byte before the block is of it, else 0 */
@inline
function behind(set: u64, before: u64): u64 {
  return (set << 1) | before;
}

/** The digits of the runs that begin at `starts`: adding clears these, and what it sets instead is no digit. */
@inline
function runsFrom(starts: u64, digits: u64): u64 {
  return digits & ~(digits + starts);
}

function isTooLong(whole: u64): bool {
  let run = whole;
  for (let digits: u64 = 1; digits <= wholeDigitsMax; digits++) {
    run &= (whole << digits) | (wholeBefore >> (64 - digits));
    if (run == 0) return false;
  }
  return true;
}

/** The first so many bytes of a block; fewer than 64. */
@inline
function below(bytes: i32): u64 {
  return ((<u64>1) << (<u64>bytes)) - 1;
}

@inline
function maskOf(a: v128, b: v128, c: v128, d: v128): u64 {
  return (
    <u64>(<u32>i8x16.bitmask(a)) |
    ((<u64>(<u32>i8x16.bitmask(b))) << 16) |
    ((<u64>(<u32>i8x16.bitmask(c))) << 32) |
    ((<u64>(<u32>i8x16.bitmask(d))) << 48)
  );
}

@inline
function equalTo(byte: i8, a: v128, b: v128, c: v128, d: v128): u64 {
  const wanted = i8x16.splat(byte);
  return maskOf(i8x16.eq(a, wanted), i8x16.eq(b, wanted), i8x16.eq(c, wanted), i8x16.eq(d, wanted));
}

@inline
function isDigit(part: v128): v128 {
  return i8x16.lt_u(i8x16.sub(part, i8x16.splat(48)), i8x16.splat(10));
}

@inline
function isExponent(part: v128): v128 {
  return i8x16.eq(v128.or(part, i8x16.splat(32)), i8x16.splat(101));
}

@inline
function isSpace(part: v128): v128 {
  return v128.or(
    v128.or(i8x16.eq(part, i8x16.splat(32)), i8x16.eq(part, i8x16.splat(10))),
    v128.or(i8x16.eq(part, i8x16.splat(13)), i8x16.eq(part, i8x16.splat(9))),
  );
}
