import { coveredMin, type NoiseSummary } from "./noise-summary.js";

export const notMeasured =
  "Noise was not measured, so nothing is proposed. Name a control for the deployment and let it run a while.";

export const noNumbers =
  "no numbers were compared with the control, so there is nothing to make a tolerance from; it stays as it is.";

export const flags =
  "the control gave other truth values than the primary. No tolerance covers that: allow a share of them " +
  "(mismatchFraction), or find out why. It stays as it is.";

export const unbounded =
  "the control differed from the primary beyond all bounds, which no tolerance covers. Find out why, or ignore the " +
  "output. It stays as it is.";

/** The control never differed. */
export function quiet(summaries: readonly NoiseSummary[]): string {
  const comparisons = summaries.reduce((sum, one) => sum + one.comparisons, 0);
  return (
    `noise is 0: in ${counted(comparisons)} the control's numbers were the primary's own, so any difference is ` +
    `the candidate's doing, and exact shows each of them. It is too strict for a candidate that is meant to compute ` +
    `in another way; choose its tolerance by what a difference costs.${caution(comparisons)}`
  );
}

interface Derivation {
  safetyFactor: number;
  atol: number;
  isInteger: boolean;
  /** In how many shapes the output was seen. */
  shapes: number;
}

/** @param lead the noise of the shape that has most of it */
export function noisy(lead: NoiseSummary, { safetyFactor, atol, isInteger, shapes }: Derivation): string {
  const { comparisons, noise, median, maxAbs, maxRel } = lead;
  const where = shapes === 1 ? "" : ` (the noisiest of ${shapes} shapes, [${lead.shape.join(",")}])`;
  const source =
    noise === maxAbs
      ? `the largest absolute error in ${counted(comparisons)} with the control${where} was ${shown(maxAbs)}`
      : `in 99.9 % of ${counted(comparisons)} with the control${where} the largest absolute error was at most ` +
        `${shown(noise)} (largest of all: ${shown(maxAbs)})`;
  const rounding = isInteger ? "" : ", rounded up to one significant digit";
  return [
    `${source}; atol = ${safetyFactor} × ${shown(noise)}${rounding} = ${shown(atol)}.`,
    relative(maxRel),
    noise >= median * 100 && median > 0 ? spread(median, noise) : "",
    isInteger ? "If these integers are labels or places, no tolerance means anything: ignore them." : "",
    caution(comparisons).trim(),
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

function relative(maxRel: number | null): string {
  const measured = maxRel === null ? "" : ` (largest: ${shown(maxRel)})`;
  return (
    `rtol = 0: atol covers the noise by itself, and the largest relative error${measured} is that of the elements ` +
    `nearest to 0, far too wide for the others.`
  );
}

function spread(median: number, noise: number): string {
  return (
    `The noise differs much from request to request (half of them at most ${shown(median)}, up to ${shown(noise)}): ` +
    `if it grows with the values, set an rtol by hand and lower atol.`
  );
}

function caution(comparisons: number): string {
  return comparisons < coveredMin
    ? ` That is from ${counted(comparisons)}: propose again when there are ${coveredMin}.`
    : "";
}

function counted(comparisons: number): string {
  return comparisons === 1 ? "1 comparison" : `${comparisons} comparisons`;
}

function shown(value: number): string {
  const digits = Number(value.toPrecision(4));
  return digits < 1e-3 || digits >= 1e6 ? digits.toExponential() : String(digits);
}
