import type { Comparison, DifferenceKind, OutputComparison } from "./types.js";

/** What the divergences of one signature have in common. */
export interface SignatureGroup {
  /** As `signatureOf` has it: 12 hexadecimal digits. */
  signature: string;
  kind: DifferenceKind;
  /** The output that leads; null when the divergence is of the answer as a whole. */
  output: string | null;
  /** The power of ten at or below the largest absolute error, or 0 or Infinity; null where nothing was measured. */
  magnitude: number | null;
  /** Whether the leading output's decision changed; null: it declares none. */
  flip: boolean | null;
  shape: readonly number[] | null;
}

/** What {@link groupOf} looks at. */
export type Divergence = Pick<Comparison, "signature"> & {
  kind: string | null;
  outputs: readonly OutputComparison[];
};

/** The group that a divergence belongs to, as its signature has it; null for what is no divergence. */
export function groupOf({ signature, kind, outputs }: Divergence): SignatureGroup | null {
  if (signature === null) return null;
  const lead = kind === "undecodable" ? null : leadOf(kind, outputs);
  return {
    signature,
    kind: kind as DifferenceKind,
    output: lead?.output ?? null,
    magnitude: magnitudeOf(lead?.maxAbs ?? null),
    flip: lead?.decision?.flip ?? null,
    shape: lead?.shape ?? null,
  };
}

/** Of the outputs that mismatch so, the first by name. */
function leadOf(kind: string | null, outputs: readonly OutputComparison[]): OutputComparison | null {
  return outputs
    .filter((output) => output.result === "mismatch" && output.kind === kind)
    .reduce<OutputComparison | null>(
      (first, output) => (first === null || output.output < first.output ? output : first),
      null,
    );
}

function magnitudeOf(value: number | null): number | null {
  if (value === null || value === 0 || !Number.isFinite(value)) return value;
  return Number(`1e${value.toExponential().split("e")[1]}`);
}
