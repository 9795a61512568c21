import { readFile } from "node:fs/promises";
import { InvalidArgumentError } from "commander";
import { messageOf, UnderstudyError } from "../errors.js";

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

/** @throws UnderstudyError `usage` when the file cannot be read or is not JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as unknown;
  } catch (error) {
    throw new UnderstudyError("usage", `${path} cannot be read as JSON: ${messageOf(error)}`, {
      hint: "Name a file that exists and holds one JSON document.",
    });
  }
}
