/** How the numbers of a report are written, the same in each of its forms. */

/** A float64 as JSON carries it. */
export type Float = number | "NaN" | "Infinity" | "-Infinity";

const none = "–";

/** `1.25 %`; small rates keep two significant digits. */
export function percentText(value: Float | null): string {
  if (value === null) return none;
  const rate = Number(value);
  if (!Number.isFinite(rate)) return rate > 0 ? "∞" : none;
  const percent = rate * 100;
  const size = Math.abs(percent);
  const digits = size === 0 || size >= 1 ? 2 : Math.min(6, 1 - Math.floor(Math.log10(size)));
  return `${percent.toFixed(digits)} %`;
}

export function countText(value: number | null): string {
  return value === null ? none : value.toLocaleString("en-US");
}

export function msText(given: Float | null): string {
  if (given === null) return none;
  const value = Number(given);
  return Number.isFinite(value) ? `${value.toFixed(value < 10 ? 2 : 1)} ms` : "never";
}

/** UTC, to the second: `2026-11-20 12:00:00 UTC`. */
export function momentText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Four significant digits. */
export function floatText(value: Float | null): string {
  if (value === null) return none;
  if (typeof value === "string") return value;
  return value === 0 ? "0" : String(Number(value.toPrecision(4)));
}
