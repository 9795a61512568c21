/** Below this the series is not yet exact to float64. */
const seriesFrom = 12;

/**
 * ln Γ(x) for x > 0, within 1e-14 of its size (absolutely where it is near 0).
 *
 * Source: Stirling's series, NIST Digital Library of Mathematical Functions 5.11.1; small arguments are first raised
 * by the recurrence Γ(x + 1) = x·Γ(x).
 */
export function logGamma(x: number): number {
  let product = 1;
  let raised = x;
  while (raised < seriesFrom) {
    product *= raised;
    raised += 1;
  }
  const inverse = 1 / raised;
  const square = inverse * inverse;
  const series =
    inverse *
    (1 / 12 -
      square *
        (1 / 360 -
          square * (1 / 1260 - square * (1 / 1680 - square * (1 / 1188 - square * (691 / 360360))))));
  return (
    (raised - 0.5) * Math.log(raised) - raised + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product)
  );
}

/** ln of the falling factorial a·(a − 1)·…·(a − k + 1), for real a ≥ k ≥ 0: the ways to draw k of a, in order. */
export function logFalling(a: number, k: number): number {
  return k === 0 ? 0 : logGamma(a + 1) - logGamma(a - k + 1);
}
