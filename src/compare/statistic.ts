import type { Tensor } from "../tensor/tensor.js";
import { quantileOf, type Series } from "./order-statistic.js";
import { visitFinitePairs } from "./pairs.js";
import type { OutputPolicy } from "./policy.js";
import type { ErrorStatistic } from "./types.js";

type Toleranced = OutputPolicy & { rule: "numpy" | "polygraphy" };
type Name = ErrorStatistic["name"];

/** Polygraphy's `error_quantile`. */
const quantileDefault = 0.99;

/**
 * Judges two tensors by one statistic S of their errors. p and c are the elements of a finite pair; NaN and infinities
 * are judged apart, by the kind `non_finite`.
 *
 * - `polygraphy`: beyond when S(|c − p|) > atol **and** S(|c − p| / |p|) > rtol, as `check_error_stat` of Polygraphy
 *   0.53.6 has it (`SimpleCompareFunc` and `SimpleThreshold` in `polygraphy/comparator/compare.py`). Polygraphy puts
 *   2.2e-16 for a p of 0; here the relative error is then 0 if c is 0 too, else Infinity.
 * - `numpy`, which knows no statistics: beyond when S(|c − p| − rtol·|p|) > atol. With `max` that is the rule itself.
 *
 * @returns nothing beyond, and nulls, where there is no finite pair. `atolToPass`: the least atol that would have
 *   passed beside the policy's rtol; null where none would
 */
export function judgeStatistic(
  primary: Tensor,
  candidate: Tensor,
  name: Name,
  policy: Toleranced,
): { statistic: ErrorStatistic; atolToPass: number | null; isBeyond: boolean } {
  const { atol, rtol } = policy;
  const q = name === "median" ? 0.5 : (policy.quantile ?? quantileDefault);
  const summary = (measureOf: PairMeasure) => summarise(seriesOf(primary, candidate, measureOf), name, q);
  const abs = summary(absolute);
  const rel = summary(relative);
  const statistic = { name, abs, rel };
  if (abs === null || rel === null) return { statistic, atolToPass: null, isBeyond: false };
  if (policy.rule === "polygraphy") {
    return { statistic, atolToPass: rel > rtol ? abs : 0, isBeyond: abs > atol && rel > rtol };
  }
  const excess = summary((error, size) => beyondShare(error, rtol * size))!;
  // A mean over infinities of both signs is NaN, and passes nothing.
  if (Number.isNaN(excess)) return { statistic, atolToPass: null, isBeyond: true };
  return { statistic, atolToPass: Math.max(0, excess), isBeyond: excess > atol };
}

/** A number for a finite pair, from |c − p| and |p|; never NaN. */
type PairMeasure = (error: number, size: number) => number;

const absolute: PairMeasure = (error) => error;
const relative: PairMeasure = (error, size) => (error === 0 ? 0 : error / size);

/** Where both overflow, the element rule lets the pair pass; so does this. */
function beyondShare(error: number, share: number): number {
  return share === Infinity ? -Infinity : error - share;
}

function seriesOf(primary: Tensor, candidate: Tensor, measureOf: PairMeasure): Series {
  return (visit) => {
    let values = new Float64Array(0);
    visitFinitePairs(primary, candidate, (block) => {
      if (values.length < block.count) values = new Float64Array(block.errors.length);
      for (let i = 0; i < block.count; i++) {
        values[i] = measureOf(block.errors[i]!, Math.abs(block.primary[i]!));
      }
      visit(values, block.count);
    });
  };
}

function summarise(series: Series, name: Name, q: number): number | null {
  if (name === "median" || name === "quantile") return quantileOf(series, q);
  let length = 0;
  let sum = 0;
  let most = -Infinity;
  series((values, count) => {
    length += count;
    for (let i = 0; i < count; i++) {
      const value = values[i]!;
      sum += value;
      if (value > most) most = value;
    }
  });
  if (length === 0) return null;
  return name === "max" ? most : sum / length;
}
