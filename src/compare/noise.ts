import { bucketOf } from "../stats/sketch.js";
import type { Fact } from "./facts.js";
import { type Comparison, isIncomparableKind, type OutputComparison } from "./types.js";

/** How a comparison of the primary with its control ended. `error`: the control gave no answer. */
export type NoiseResult = "match" | "mismatch" | "error";

/**
 * The facts of one comparison of the primary with its control: how far two answers of the same model lie apart.
 *
 * - `noise`: one label per comparison (match, mismatch, error)
 * - `noise/NAME@[shape]`: a sketch of the largest absolute errors, and their maximum
 * - `noise-rel/NAME@[shape]`: label `n`, and the largest relative error
 *
 * None when the primary's own answer left nothing to compare with.
 */
export function noiseFacts(comparison: Comparison): Fact[] {
  const result = noiseResult(comparison);
  if (result === null) return [];
  return [{ series: "noise", label: result }, ...comparison.outputs.flatMap(outputNoise)];
}

function noiseResult({ result, kind }: Comparison): NoiseResult | null {
  switch (result) {
    case "match":
    case "mismatch":
      return result;
    case "ignored":
      return "match";
    case "incomparable":
      return isIncomparableKind(kind) ? null : "error";
  }
}

function outputNoise({ output, shape, maxAbs, maxRel }: OutputComparison): Fact[] {
  const facts: Fact[] = [];
  const name = `${output}@[${shape.join(",")}]`;
  if (maxAbs !== null) facts.push({ series: `noise/${name}`, bucket: bucketOf(maxAbs), value: maxAbs });
  if (maxRel !== null) facts.push({ series: `noise-rel/${name}`, label: "n", value: maxRel });
  return facts;
}

/** Reads the `NAME@[shape]` of a series. An output's name may hold anything; its shape stands last. */
export function parseNoiseName(text: string): { name: string; shape: number[] } {
  const at = text.lastIndexOf("@[");
  const dimensions = text.slice(at + 2, -1);
  return { name: text.slice(0, at), shape: dimensions === "" ? [] : dimensions.split(",").map(Number) };
}
