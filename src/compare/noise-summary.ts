import { quantiles, type Sketch, sizeOf } from "../stats/sketch.js";
import type { Datatype } from "../tensor/tensor.js";

/** What comparing the primary with its control found in one output, in one shape. */
export interface OutputNoise {
  output: string;
  datatype: Datatype | null;
  shape: readonly number[];
  /** Of each comparison's largest absolute error. */
  abs: Sketch;
  /** The largest of them, exactly; null: nothing was measured. */
  maxAbs: number | null;
  /** The largest relative error; null: not known. */
  maxRel: number | null;
}

/** What the noise of one output in one shape comes to. */
export interface NoiseSummary {
  shape: readonly number[];
  comparisons: number;
  /** Half of the comparisons lie below this. */
  median: number;
  /** What a tolerance is made from: the 99.9th percentile; the maximum where that is 0 or there are too few for it. */
  noise: number;
  maxAbs: number;
  maxRel: number | null;
}

const coverage = 0.999;
/** With fewer comparisons, what lies beyond that percentile has hardly been seen. */
export const coveredMin = 1000;

/** null: nothing was measured. */
export function summariseNoise({ shape, abs, maxAbs, maxRel }: OutputNoise): NoiseSummary | null {
  const [median, covered] = quantiles(abs, maxAbs, [0.5, coverage]);
  if (maxAbs === null || median === null || covered === null) return null;
  const comparisons = sizeOf(abs);
  const isCovered = comparisons >= coveredMin && covered > 0;
  return {
    shape,
    comparisons,
    median,
    noise: isCovered ? covered : maxAbs,
    maxAbs,
    maxRel,
  };
}
