import type { Tensor } from "../tensor/tensor.js";
import { typedView } from "../tensor/view.js";
import { decadeOf, decadeStarts } from "./decades.js";
import type { ElementRule, Measurement } from "./kernel.js";
import { measurementOf, newTotals, type Totals } from "./totals.js";
import { offerWorst } from "./worst.js";

/**
 * Measures INT64 or UINT64 tensors, as plainKernel does for narrower types. Differences are exact, whatever the
 * values; tolerances and metrics are float64. Elements are read as two halves: equal ones, nearly all, then cost no
 * BigInt, and neither do different ones up to 2^52.
 */
export function measureIntegers64(primary: Tensor, candidate: Tensor, rule: ElementRule): Measurement {
  const totals = newTotals(new Float64Array(decadeStarts.length));
  const p = halvesOf(primary);
  const c = halvesOf(candidate);
  for (let i = 0; i < p.low.length; i += 2) {
    const pLow = p.low[i]!;
    const pHigh = p.high[i + 1]!;
    const cLow = c.low[i]!;
    const cHigh = c.high[i + 1]!;
    const pValue = pHigh * 2 ** 32 + pLow;
    const cValue = cHigh * 2 ** 32 + cLow;
    addProducts(totals, pValue, cValue);
    if (pLow === cLow && pHigh === cHigh) continue;
    const isSmall = Math.abs(pHigh) < 2 ** 20 && Math.abs(cHigh) < 2 ** 20;
    const error = isSmall ? Math.abs(cValue - pValue) : magnitude(exact(cHigh, cLow) - exact(pHigh, pLow));
    addError(totals, i / 2, error, Math.abs(pValue), rule);
  }
  return measurementOf(totals, rule);
}

interface Halves {
  /** At even places the low halves. */
  low: Uint32Array;
  /** At odd places the high halves, with the sign if the datatype has one. */
  high: Int32Array | Uint32Array;
}

function halvesOf(tensor: Tensor): Halves {
  const { buffer, byteOffset, length } = typedView(tensor as Tensor & { datatype: "INT64" | "UINT64" });
  const High = tensor.datatype === "INT64" ? Int32Array : Uint32Array;
  return {
    low: new Uint32Array(buffer, byteOffset, length * 2),
    high: new High(buffer, byteOffset, length * 2),
  };
}

function exact(high: number, low: number): bigint {
  return BigInt(high) * 0x1_0000_0000n + BigInt(low);
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function addProducts(totals: Totals, p: number, c: number): void {
  totals.pairs++;
  totals.products += p * c;
  totals.primarySquares += p * p;
  totals.candidateSquares += c * c;
  if (p !== 0 && totals.maxRel < 0) totals.maxRel = 0;
}

function addError(
  totals: Totals,
  index: number,
  exactError: number | bigint,
  size: number,
  { rule, atol, rtol }: ElementRule,
): void {
  const error = Number(exactError);
  const relative = error / size;
  totals.errors += error;
  totals.squaredErrors += error * error;
  if (error > totals.maxAbs) totals.maxAbs = error;
  if (size > 0 && relative > totals.maxRel) totals.maxRel = relative;
  // A bigint is compared with a number by value, without rounding.
  const mismatch =
    rule === "polygraphy" ? exactError > atol && relative > rtol : exactError > atol + rtol * size;
  if (mismatch) totals.mismatches++;
  // A tolerance that is compared with the exact error must not be less than it.
  const raised = error < exactError ? error * (1 + Number.EPSILON) : error;
  const beyond = rule === "polygraphy" ? (relative > rtol ? raised : 0) : raised - rtol * size;
  if (beyond > totals.excess) totals.excess = beyond;
  totals.decades[decadeOf(error, 20)]!++;
  if (error > totals.worst.floor) offerWorst(totals.worst, index, error);
}
