import { compareAnswers } from "../compare/answers.js";
import type { Kernel } from "../compare/kernel.js";
import type { Policy } from "../compare/policy.js";
import type { Comparison } from "../compare/types.js";
import { UnderstudyError } from "../errors.js";
import type { InferResponse } from "../protocol/infer.js";
import type { Limits } from "./limits.js";
import { printable } from "./printable.js";
import { readAnswer, type SavedAnswer } from "./read-answer.js";

export interface CompareFilesOptions {
  policy: Policy;
  kernel: Kernel;
  limits: Limits;
  /** Unix milliseconds: decides which ignores of the policy have expired. */
  nowMs: number;
  /** Compare this output only. */
  output?: string;
  /** Lengths of the JSON in `left` and `right`, where they are binary V2 responses; null: to be found. */
  headerLengths?: readonly [left: number | null, right: number | null];
}

/** The name of an .npy file's array where nothing gives it another. */
export const unnamedOutput = "data";

/**
 * Compares two saved answers, `left` being the primary's: every output that either file has. The array of an .npy file
 * takes the name of the output that is asked for, or else of the other file's only output, or else `data`.
 *
 * @throws UnderstudyError `file_unreadable`; `usage` when there is nothing to compare
 */
export async function compareFiles(
  left: string,
  right: string,
  options: CompareFilesOptions,
): Promise<Comparison> {
  const { policy, kernel, limits, nowMs, output, headerLengths = [null, null] } = options;
  const primary = await readAnswer(left, headerLengths[0], limits);
  const candidate = await readAnswer(right, headerLengths[1], limits);
  const expected = withNames(primary, candidate, output);
  const actual = withNames(candidate, primary, output);
  const comparison = compareAnswers(only(expected, output), only(actual, output), policy, nowMs, kernel);
  if (comparison.outputs.length === 0) throw nothingToCompare(expected, actual, output);
  return comparison;
}

function withNames({ format, response }: SavedAnswer, other: SavedAnswer, output?: string): InferResponse {
  if (format !== "npy") return response;
  const [first, ...more] = other.format === "npy" ? [] : other.response.outputs;
  const name = output ?? (more.length === 0 ? first?.name : undefined) ?? unnamedOutput;
  return { ...response, outputs: response.outputs.map((array) => ({ ...array, name })) };
}

function only(response: InferResponse, output?: string): InferResponse {
  if (output === undefined) return response;
  return { ...response, outputs: response.outputs.filter(({ name }) => name === output) };
}

function nothingToCompare(
  expected: InferResponse,
  actual: InferResponse,
  output: string | undefined,
): UnderstudyError {
  if (output === undefined) return new UnderstudyError("usage", "Neither file holds an output to compare.");
  const names = new Set([...expected.outputs, ...actual.outputs].map(({ name }) => printable(name)));
  return new UnderstudyError("usage", `Neither file has an output ${printable(output)}.`, {
    hint: `They have: ${[...names].slice(0, 20).join(", ") || "none"}.`,
  });
}
