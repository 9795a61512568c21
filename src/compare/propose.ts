import { type NoiseSummary, type OutputNoise, summariseNoise } from "./noise-summary.js";
import { defaultPolicy, type OutputPolicy, type Policy, policyFor } from "./policy.js";
import * as words from "./propose-words.js";

export interface Proposal {
  policy: Policy;
  /** For people: what was measured, and how each tolerance follows from it. */
  reasons: readonly string[];
}

const safetyFactor = 2;

/**
 * Proposes tolerances from measured noise, per output. Where the control never differed: `exact`. Else: `numpy`, with
 * atol twice the 99.9th percentile of the comparisons' largest absolute errors, in the shape where that is largest,
 * rounded up to one significant digit (to a whole number for integers), and rtol 0. An output's decision, ignore, cast and equalNan stay
 * as the current policy has them; outputs without noise to go by stay as they are.
 */
export function propose(noise: readonly OutputNoise[], current: Policy = defaultPolicy): Proposal {
  if (noise.length === 0) return { policy: current, reasons: [words.notMeasured] };
  const outputs = new Map(Object.entries(current.outputs));
  const reasons: string[] = [];
  for (const [name, shapes] of byOutput(noise)) {
    const { policy, reason } = proposeOutput(shapes, policyFor(current, name));
    if (policy !== null) outputs.set(name, policy);
    reasons.push(`${name}: ${reason}`);
  }
  return { policy: { ...current, outputs: Object.fromEntries(outputs) }, reasons };
}

function byOutput(noise: readonly OutputNoise[]): Map<string, OutputNoise[]> {
  const outputs = new Map<string, OutputNoise[]>();
  for (const one of noise) outputs.set(one.output, [...(outputs.get(one.output) ?? []), one]);
  return outputs;
}

function proposeOutput(
  shapes: readonly OutputNoise[],
  current: OutputPolicy,
): { policy: OutputPolicy | null; reason: string } {
  const summaries = shapes.flatMap((one) => summariseNoise(one) ?? []);
  const lead = noisiest(summaries);
  if (lead === null) return { policy: null, reason: words.noNumbers };
  if (lead.maxAbs === 0)
    return { policy: { rule: "exact", ...kept(current) }, reason: words.quiet(summaries) };
  const is = (form: RegExp) => shapes.every(({ datatype }) => datatype !== null && form.test(datatype));
  if (is(/^BOOL$/)) return { policy: null, reason: words.flags };
  const isInteger = is(/^U?INT/);
  const wanted = lead.noise * safetyFactor;
  const atol = isInteger ? Math.ceil(wanted) : roundedUp(wanted);
  if (!Number.isFinite(atol)) return { policy: null, reason: words.unbounded };
  return {
    policy: { rule: "numpy", atol, rtol: 0, ...kept(current) },
    reason: words.noisy(lead, { safetyFactor, atol, isInteger, shapes: shapes.length }),
  };
}

/** One shape that is rare must not vanish among many requests of another; the noisiest speaks for all. */
function noisiest(summaries: readonly NoiseSummary[]): NoiseSummary | null {
  return summaries.reduce<NoiseSummary | null>(
    (most, one) => (most === null || one.noise > most.noise ? one : most),
    null,
  );
}

function kept(current: OutputPolicy): Pick<OutputPolicy, "decision" | "ignore" | "equalNan"> {
  const { decision, ignore, equalNan } = current;
  const cast = "cast" in current ? current.cast : undefined;
  const options = { equalNan, cast, decision, ignore };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Up to one significant digit; in decimals, since 2e-6 / 1e-6 is not 2 in float64. */
function roundedUp(value: number): number {
  const nearest = value.toExponential(0);
  if (!(Number(nearest) < value)) return Number(nearest);
  const [digit, exponent] = nearest.split("e");
  return Number(`${Number(digit) + 1}e${exponent}`);
}
