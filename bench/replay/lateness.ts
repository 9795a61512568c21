/**
 * How long after its time each request arrived, milliseconds, in the order given.
 * @throws when one did not arrive
 */
export function latenessOf(
  due: readonly { id: number; atMs: number }[],
  arrivals: ReadonlyMap<number, number>,
): number[] {
  return due.map(({ id, atMs }) => {
    const arrivedMs = arrivals.get(id);
    if (arrivedMs === undefined) throw new Error(`request ${id} of ${due.length} did not arrive`);
    return arrivedMs - atMs;
  });
}

/** The median of the blocks' p99: one block in which the machine stood still says nothing of the sender. */
export function p99OfBlocks(late: readonly number[], blockLength: number): number {
  const p99s: number[] = [];
  for (let at = 0; at < late.length; at += blockLength) {
    p99s.push(quantile(late.slice(at, at + blockLength), 0.99));
  }
  return quantile(p99s, 0.5);
}

/** Median of the last tenth minus that of the first: a few that are late are no drift. */
export function driftOf(late: readonly number[]): number {
  const tenth = Math.max(1, Math.floor(late.length / 10));
  return quantile(late.slice(-tenth), 0.5) - quantile(late.slice(0, tenth), 0.5);
}

export function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
}

export function shown(late: readonly number[], blockLength: number): string {
  const [p50, p99] = [quantile(late, 0.5), quantile(late, 0.99)];
  return `p50 ${p50.toFixed(2)} p99 ${p99.toFixed(2)} p99 of a block ${p99OfBlocks(late, blockLength).toFixed(2)}`;
}
