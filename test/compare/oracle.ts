import type { ElementRule, Measurement } from "../../src/compare/kernel.js";
import type { Datatype } from "../../src/tensor/tensor.js";

type Numeric = number | bigint;

/** The same measurement, element by element, as the definitions are written; nothing shared with the kernels. */
export function measureNaively(
  primary: readonly Numeric[],
  candidate: readonly Numeric[],
  { rule, atol, rtol, equalNan }: ElementRule,
): Measurement {
  const pairs = primary.map((p, index) => ({ index, p, c: candidate[index]! }));
  const hasNumber = (x: Numeric) => typeof x === "bigint" || Number.isFinite(x);
  const finite = pairs.filter(({ p, c }) => hasNumber(p) && hasNumber(c));
  const special = pairs.filter(({ p, c }) => !(hasNumber(p) && hasNumber(c)));

  const distance = (p: Numeric, c: Numeric): Numeric => {
    if (typeof p === "bigint" && typeof c === "bigint") return c > p ? c - p : p - c;
    return Math.abs(Number(c) - Number(p));
  };
  const errorOf = ({ p, c }: { p: Numeric; c: Numeric }) => Number(distance(p, c));
  const isBad = ({ p, c }: { p: Numeric; c: Numeric }) => {
    const error = distance(p, c);
    const size = Math.abs(Number(p));
    if (rule === "numpy") return !(error <= atol + rtol * size);
    return error > atol && Number(error) / size > rtol;
  };
  const badSpecial = special.filter(({ p, c }) => {
    if (Number.isNaN(p) && Number.isNaN(c)) return !equalNan;
    return p !== c;
  });
  const relatives = finite.filter(({ p }) => Number(p) !== 0).map((x) => errorOf(x) / Math.abs(Number(x.p)));
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const max = (values: number[]) => values.reduce((a, b) => Math.max(a, b), 0);
  const squares = (side: "p" | "c") => sum(finite.map((x) => Number(x[side]) ** 2));
  const cosine =
    sum(finite.map(({ p, c }) => Number(p) * Number(c))) /
    (Math.sqrt(squares("p")) * Math.sqrt(squares("c")));
  const none = finite.length === 0;

  const rank = (error: number) => (Number.isNaN(error) ? 2 : error === Infinity ? 1 : 0);
  const worst = [...finite.filter((x) => errorOf(x) > 0), ...badSpecial]
    .map((x) => ({ index: x.index, absError: errorOf(x) }))
    .sort(
      (a, b) =>
        rank(b.absError) - rank(a.absError) ||
        (rank(a.absError) === 0 ? b.absError - a.absError : 0) ||
        a.index - b.index,
    )
    .slice(0, 10);

  const excesses = finite.map((x) => {
    const size = Math.abs(Number(x.p));
    if (rule === "numpy") return errorOf(x) - rtol * size;
    return errorOf(x) / size > rtol ? errorOf(x) : 0;
  });

  return {
    mismatches: finite.filter(isBad).length + badSpecial.length,
    nonFiniteMismatches: badSpecial.length,
    nonFinitePrimary: primary.filter((p) => !hasNumber(p)).length,
    nonFiniteCandidate: candidate.filter((c) => !hasNumber(c)).length,
    maxAbs: none ? null : max(finite.map(errorOf)),
    maxRel: relatives.length === 0 ? null : max(relatives),
    meanAbs: none ? null : sum(finite.map(errorOf)) / finite.length,
    rmse: none ? null : Math.sqrt(sum(finite.map((x) => errorOf(x) ** 2)) / finite.length),
    cosine: [squares("p"), squares("c")].every((sum) => sum >= 2 ** -960 && sum < Infinity) ? cosine : null,
    histogram: histogramNaively(finite.map(errorOf)),
    atolToPass: none ? null : max(excesses.filter((x) => x > 0)),
    worst,
  };
}

/** Decades begin at powers of ten, less what their mantissas have beyond 20 bits. */
function histogramNaively(errors: readonly number[]): Measurement["histogram"] {
  const start = (decade: number) => {
    const power = 10 ** decade;
    const unit = 2 ** (Math.floor(Math.log2(power)) - 20);
    return Math.floor(power / unit) * unit;
  };
  const counted = new Map<number, number>();
  for (const error of errors.filter((x) => x >= 2 ** -1042)) {
    let decade = 19;
    while (decade > -20 && error < start(decade)) decade--;
    counted.set(decade, (counted.get(decade) ?? 0) + 1);
  }
  const decades = [...counted].map(([decade, pairs]) => ({ decade, pairs }));
  return {
    equal: errors.filter((x) => x < 2 ** -1042).length,
    decades: decades.sort((a, b) => a.decade - b.decade),
  };
}

/** The numbers that a tensor holds, given what it was made from: floats rounded, half floats from their bits. */
export function numbersIn(datatype: Datatype, values: readonly Numeric[]): Numeric[] {
  switch (datatype) {
    case "FP32":
      return values.map((value) => Math.fround(Number(value)));
    case "FP16":
      return values.map((bits) => fromBits(Number(bits), 5));
    case "BF16":
      return values.map((bits) => fromBits(Number(bits), 8));
    case "BOOL":
      return values.map((value) => (value ? 1 : 0));
    default:
      return [...values];
  }
}

function fromBits(bits: number, exponentBits: number): number {
  const text = bits.toString(2).padStart(16, "0");
  const exponent = Number.parseInt(text.slice(1, 1 + exponentBits), 2);
  const mantissa = Number.parseInt(text.slice(1 + exponentBits), 2) / 2 ** (15 - exponentBits);
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = text[0] === "1" ? -1 : 1;
  if (exponent === 2 ** exponentBits - 1) return mantissa === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * mantissa * 2 ** (1 - bias) : sign * (1 + mantissa) * 2 ** (exponent - bias);
}
