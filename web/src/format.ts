/** How numbers, moments and strings are shown. One place, so that they look the same everywhere. */

export const none = "–";
/** Between a number and its unit, which stay on one line. */
const gap = "\u00a0";

export function percent(rate: number | null | undefined, digits = 2): string {
  return rate === null || rate === undefined ? none : `${(rate * 100).toFixed(digits)}${gap}%`;
}

export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined) return none;
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)}${gap}ms`;
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? none : value.toLocaleString("en-US");
}

/** Four significant digits; strings (non-finite, 64-bit) as they came. */
export function float(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return none;
  if (typeof value === "string") return visible(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : Number(value.toPrecision(4)).toString();
}

/** Three significant digits, rounded up: a tolerance that is said to be enough must be. */
export function atLeast(value: number): string {
  const rounded = Number(value.toPrecision(3));
  const step = 10 ** (Math.floor(Math.log10(value)) - 2);
  const raised = Number((rounded + step).toPrecision(3));
  return short([rounded, raised].find((shown) => shown >= value && shown < Infinity) ?? value);
}

/** A number as people write it: `1e-5`, `0.05`. */
export function short(value: number): string {
  const [plain, exponential] = [String(value), value.toExponential()];
  return exponential.length < plain.length ? exponential : plain;
}

const singles = new Set<string | null>(["FP32", "FP16", "BF16"]);

/** A tensor's element in full: reviewers compare digits. A single as the shortest decimal that reads back as it. */
export function element(value: number | string | boolean, datatype: string | null): string {
  if (typeof value === "string") return visible(value);
  if (typeof value === "boolean") return String(value);
  if (Object.is(value, -0)) return "-0";
  const shortest = singles.has(datatype) ? shortestSingle(value) : value;
  return shortest !== 0 && Math.abs(shortest) < 1e-4 ? shortest.toExponential() : String(shortest);
}

function shortestSingle(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(value)) return rounded;
  }
  return Number(value.toPrecision(9));
}

export function shape(dims: readonly number[]): string {
  return `[${dims.join(", ")}]`;
}

export function bytes(value: number): string {
  if (value < 1_000) return `${value}${gap}B`;
  let unit = 0;
  let inUnit = value / 1_000;
  for (; inUnit >= 999.95 && unit < byteUnits.length - 1; unit++) inUnit /= 1_000;
  return `${inUnit.toFixed(1)}${gap}${byteUnits[unit]}`;
}

const byteUnits = ["kB", "MB", "GB", "TB"] as const;

/** Local date and time, `2026-03-01 14:05:09`. */
export function moment(at: number): string {
  return new Date(at).toLocaleString("sv-SE");
}

export function ago(at: number, now = Date.now()): string {
  return `${duration(Math.max(0, now - at))} ago`;
}

/** One number and its unit: `45 s`, `12 min`, `3 h`, `5 d`. */
export function duration(spanMs: number): string {
  const seconds = Math.round(spanMs / 1_000);
  if (seconds < 90) return `${seconds}${gap}s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)}${gap}min`;
  return seconds < 130_000
    ? `${Math.round(seconds / 3_600)}${gap}h`
    : `${Math.round(seconds / 86_400)}${gap}d`;
}

// Control and formatting characters (the bidirectional marks among them let a name pose as another), line separators,
// and halves of surrogate pairs.
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/** Makes the invisible visible: names and string values come from models and clients. */
export function visible(text: string): string {
  return text.replace(hidden, (mark) => `\\u${mark.codePointAt(0)!.toString(16).padStart(4, "0")}`);
}

/** `missing_output` → `missing output`. */
export function words(term: string): string {
  return visible(term).replaceAll("_", " ");
}
