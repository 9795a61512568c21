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
  const outputs = compareOutputs(primary, candidate, policy, nowMs, kernel);
  const parameters = parameterDifferences(primary, candidate);
  const judged = outputs.filter(({ result }) => result !== "ignored");
  const lead = leadOf(judged);
  const kind =
    lead?.kind ?? (policy.parameters === "fail" && parameters.length > 0 ? ("parameters" as const) : null);
  const decisions = judged.flatMap(({ decision }) => decision ?? []);
  return {
    result: kind !== null ? "mismatch" : judged.length === 0 && outputs.length > 0 ? "ignored" : "match",
    kind,
    signature: kind === null ? null : signatureOf(kind, lead),
    flip: decisions.length === 0 ? null : decisions.some(({ flip }) => flip),
    maxAbs: largest(judged.map(({ maxAbs }) => maxAbs)),
    maxRel: largest(judged.map(({ maxRel }) => maxRel)),
    outputs,
    parameters,
  };
}

function compareOutputs(
  primary: InferResponse,
  candidate: InferResponse,
  policy: Policy,
  nowMs: number,
  kernel: Kernel,
): OutputComparison[] {
  const actual = byName(candidate.outputs);
  const expected = byName(primary.outputs);
  const compared = primary.outputs.map((output) => {
    const own = policyFor(policy, output.name);
    const other = actual.get(output.name);
    return other
      ? compareOutput(output, other, own, nowMs, kernel)
      : unpairedOutput("missing_output", output, null, own, nowMs);
  });
  const extra = candidate.outputs
    .filter(({ name }) => !expected.has(name))
    .map((output) => unpairedOutput("extra_output", null, output, policyFor(policy, output.name), nowMs));
  return [...compared, ...extra];
}

function byName(outputs: readonly InferTensor[]): Map<string, InferTensor> {
  return new Map(outputs.map((output) => [output.name, output]));
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

function largest(values: readonly (number | null)[]): number | null {
  return values.reduce(
    (most, value) => (most === null || (value !== null && value > most) ? value : most),
    null,
  );
}

/** Of the answers and of the outputs that both have. */
function parameterDifferences(primary: InferResponse, candidate: InferResponse): StructuralDifference[] {
  const actual = byName(candidate.outputs);
  const ofOutputs = primary.outputs.flatMap((output) => {
    const other = actual.get(output.name);
    if (!other) return [];
    return differencesOf(output.parameters, other.parameters).map((difference) =>
      under(`outputs[${JSON.stringify(output.name)}].parameters`, difference),
    );
  });
  const ofAnswer = differencesOf(primary.parameters, candidate.parameters).map((difference) =>
    under("parameters", difference),
  );
  return [...ofAnswer, ...ofOutputs].slice(0, differencesMax);
}

function under(parent: string, difference: StructuralDifference): StructuralDifference {
  const { path } = difference;
  return { ...difference, path: path === "" || path.startsWith("[") ? parent + path : `${parent}.${path}` };
}
