import { createHash } from "node:crypto";
import { remembered } from "../remembered.js";
import type { DifferenceKind, OutputComparison } from "./types.js";

/**
 * A short, stable name for divergences alike in output, kind, magnitude, decision flip and shape. Magnitude is the
 * decade of the largest absolute error: 0.01 and 0.099 share one, 0.1 has the next.
 *
 * @param lead the output with the gravest kind; null when the divergence is of the answer as a whole
 * @returns 12 hexadecimal digits
 */
export function signatureOf(kind: DifferenceKind, lead: OutputComparison | null): string {
  const parts =
    lead === null
      ? [kind]
      : [kind, lead.output, decadeOf(lead.maxAbs), lead.decision?.flip ?? null, lead.shape];
  return hashOf(JSON.stringify(parts));
}

/** A candidate that differs does so in few ways, but may do so in every answer. */
const hashOf = remembered((text) => createHash("sha256").update(text).digest("hex").slice(0, 12));

/** The power of ten at or below a value, as text; `Math.log10` can round up to the next one. */
function decadeOf(value: number | null): string | null {
  if (value === null || value === 0 || !Number.isFinite(value)) return value === null ? null : String(value);
  return value.toExponential().split("e")[1]!;
}
