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
