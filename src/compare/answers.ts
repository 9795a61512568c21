import type { InferResponse, InferTensor } from "../protocol/infer.js";
import type { Kernel } from "./kernel.js";
import { compareOutput, unpairedOutput } from "./output.js";
import { type Policy, policyFor } from "./policy.js";
import { signatureOf } from "./signature.js";
import { differencesMax, differencesOf } from "./structure.js";
import {
  type Comparison,
  type DifferenceKind,
  differenceKinds,
  type OutputComparison,
  type StructuralDifference,
} from "./types.js";

/**
 * Compares two answers to one request: every output that either side has, and the response's parameters. Ids, the
 * model's name and version, the order of outputs, and whether a tensor came as JSON or binary make no difference.
 *
 * The result is `mismatch` when any output that is not ignored mismatches, or the parameters differ and the policy
 * fails that; `ignored` when there are outputs and all are ignored; else `match`. The gravest kind leads, and among
 * outputs of one kind the first by name.
 */
export function compareAnswers(
  primary: InferResponse,
  candidate: InferResponse,
  policy: Policy,
  nowMs: number,
  kernel: Kernel,
): Comparison {
  const counterparts = counterpartsOf(primary.outputs, candidate.outputs);
  const outputs = primary.outputs.map((output, place) => {
    const own = policyFor(policy, output.name);
    const other = counterparts[place];
    return other
      ? compareOutput(output, other, own, nowMs, kernel)
      : unpairedOutput("missing_output", output, null, own, nowMs);
  });
  for (const extra of extraOutputs(primary.outputs, candidate.outputs, counterparts)) {
    outputs.push(unpairedOutput("extra_output", null, extra, policyFor(policy, extra.name), nowMs));
  }
  const parameters = parameterDifferences(primary, candidate, counterparts);
  const judged = outputs.filter(({ result }) => result !== "ignored");
  const lead = leadOf(judged);
  const kind =
    lead?.kind ?? (policy.parameters === "fail" && parameters.length > 0 ? ("parameters" as const) : null);
  const deciding = judged.filter(({ decision }) => decision !== null);
  return {
    result: kind !== null ? "mismatch" : judged.length === 0 && outputs.length > 0 ? "ignored" : "match",
    kind,
    signature: kind === null ? null : signatureOf(kind, lead),
    flip: deciding.length === 0 ? null : deciding.some(({ decision }) => decision!.flip),
    maxAbs: largest(judged, "maxAbs"),
    maxRel: largest(judged, "maxRel"),
    outputs,
    parameters,
  };
}

/** For each output of the primary the candidate's of the same name; undefined: it has none. Mostly their order is one. */
function counterpartsOf(
  expected: readonly InferTensor[],
  actual: readonly InferTensor[],
): (InferTensor | undefined)[] {
  let byName: Map<string, InferTensor> | null = null;
  return expected.map(({ name }, place) => {
    const inPlace = actual[place];
    if (inPlace?.name === name) return inPlace;
    byName ??= new Map(actual.map((output) => [output.name, output]));
    return byName.get(name);
  });
}

/** The candidate's outputs that the primary lacks. */
function extraOutputs(
  expected: readonly InferTensor[],
  actual: readonly InferTensor[],
  counterparts: readonly (InferTensor | undefined)[],
): readonly InferTensor[] {
  if (actual.length === expected.length && !counterparts.includes(undefined)) return [];
  const names = new Set(expected.map(({ name }) => name));
  return actual.filter(({ name }) => !names.has(name));
}

function leadOf(judged: readonly OutputComparison[]): OutputComparison | null {
  const mismatches = judged.filter(({ result }) => result === "mismatch");
  mismatches.sort(
    (a, b) => gravity(a.kind) - gravity(b.kind) || (a.output < b.output ? -1 : Number(a.output > b.output)),
  );
  return mismatches[0] ?? null;
}

function gravity(kind: DifferenceKind | null): number {
  return kind === null ? differenceKinds.length : differenceKinds.indexOf(kind);
}

function largest(judged: readonly OutputComparison[], metric: "maxAbs" | "maxRel"): number | null {
  let most: number | null = null;
  for (const { [metric]: value } of judged) {
    if (most === null || (value !== null && value > most)) most = value;
  }
  return most;
}

/** Of the answers and of the outputs that both have. */
function parameterDifferences(
  primary: InferResponse,
  candidate: InferResponse,
  counterparts: readonly (InferTensor | undefined)[],
): StructuralDifference[] {
  const differences = differencesOf(primary.parameters, candidate.parameters).map((difference) =>
    under("parameters", difference),
  );
  primary.outputs.forEach((output, place) => {
    const other = counterparts[place];
    if (other === undefined) return;
    for (const difference of differencesOf(output.parameters, other.parameters)) {
      differences.push(under(`outputs[${JSON.stringify(output.name)}].parameters`, difference));
    }
  });
  return differences.slice(0, differencesMax);
}

function under(parent: string, difference: StructuralDifference): StructuralDifference {
  const { path } = difference;
  return { ...difference, path: path === "" || path.startsWith("[") ? parent + path : `${parent}.${path}` };
}
