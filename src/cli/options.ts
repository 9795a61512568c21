import { userInfo } from "node:os";
import { InvalidArgumentError } from "commander";

/** Reads `0.25` or `25%` as a fraction, for commander. */
export function fraction(text: string): number {
  const value = /%$/.test(text) ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError("must be a fraction from 0 to 1, or a percentage such as 25%");
  }
  return value;
}

/** Reads a port number, for commander; 0 means any free one. */
export function port(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < 0 || value > 65_535) {
    throw new InvalidArgumentError("must be a port number from 0 to 65535");
  }
  return value;
}

/** Reads how many processes serve together, for commander. */
export function workerCount(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < 1 || value > 64) {
    throw new InvalidArgumentError("must be a whole number from 1 to 64");
  }
  return value;
}

/** Reads a moment as Unix milliseconds: ISO 8601 with its offset or Z, a date (its midnight in UTC), or milliseconds. */
export function moment(text: string): number {
  const iso = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const atMs = /^\d{1,15}$/.test(text) ? Number(text) : iso ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) {
    throw new InvalidArgumentError(
      "must be ISO 8601 with its offset or Z, a date (UTC), or Unix milliseconds",
    );
  }
  return atMs;
}

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Reads a span of time such as `90s`, `15m`, `24h` or `7d` as milliseconds. */
export function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new InvalidArgumentError("must be a number and a unit: 30s, 15m, 24h, 7d");
  return Math.round(Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]);
}

/** Reads `NAME=VALUE`, added to those given before. */
export function pairs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("must be NAME=VALUE");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Reads a whole number, for commander. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("must be a whole number");
  }
  return value;
}

/** Reads a number, or `none` as null, for commander. */
export function numberOrNone(text: string): number | null {
  if (text === "none") return null;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    throw new InvalidArgumentError("must be a number, or none");
  }
  return value;
}

/** Reads a span of time as {@link duration} does, and `none` as null. */
export function durationOrNone(text: string): number | null {
  return text === "none" ? null : duration(text);
}

/** Who runs this; some containers run as a user without a name. */
export function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
