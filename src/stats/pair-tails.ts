/** What pairs (x, y) of a suspect and a reference say at a bar t. */
export interface TailCounts {
  /** Suspects over the bar: x > t. */
  suspects: number;
  /** References at or over the bar: y ≥ t. */
  references: number;
  /** Pairs in which both are. */
  both: number;
}

/**
 * The counts at every bar where they change, from the highest down. Those bars are the values of both sides: just
 * above a reference's value it is no longer counted, just below a suspect's value that one is too, and either speaks
 * more for a slow suspect than the counts at the value itself.
 *
 * @param suspects ms, one for each pair; may hold Infinity, never NaN
 * @param references ms, of the same pairs
 * @param visit returns false to stop
 */
export function visitTails(
  suspects: Float64Array,
  references: Float64Array,
  visit: (counts: TailCounts) => boolean,
): void {
  const sortedSuspects = suspects.toSorted();
  const sortedReferences = references.toSorted();
  // Both are over t when x > t and y ≥ t: for x ≤ y that is x > t, else it is y ≥ t.
  const [suspectFirst, referenceFirst] = firstOfPairs(suspects, references);
  const counts = { suspects: 0, references: 0, both: 0 };
  let bothAbove = 0;
  let bothAt = 0;
  for (;;) {
    const bar = Math.max(
      valueFromTop(sortedSuspects, counts.suspects),
      valueFromTop(sortedReferences, counts.references),
    );
    if (bar === -Infinity) return;
    counts.references = countFromTop(sortedReferences, counts.references, (y) => y >= bar);
    bothAt = countFromTop(referenceFirst, bothAt, (y) => y >= bar);
    counts.both = bothAbove + bothAt;
    if (!visit(counts)) return;
    // Only below its own value does a suspect count.
    counts.suspects = countFromTop(sortedSuspects, counts.suspects, (x) => x >= bar);
    bothAbove = countFromTop(suspectFirst, bothAbove, (x) => x >= bar);
  }
}

function firstOfPairs(suspects: Float64Array, references: Float64Array): [Float64Array, Float64Array] {
  const suspectFirst: number[] = [];
  const referenceFirst: number[] = [];
  for (let i = 0; i < suspects.length; i++) {
    const suspect = suspects[i]!;
    const reference = references[i]!;
    if (suspect <= reference) suspectFirst.push(suspect);
    else referenceFirst.push(reference);
  }
  return [Float64Array.from(suspectFirst).sort(), Float64Array.from(referenceFirst).sort()];
}

function valueFromTop(sorted: Float64Array, taken: number): number {
  return taken < sorted.length ? sorted[sorted.length - 1 - taken]! : -Infinity;
}

function countFromTop(sorted: Float64Array, taken: number, counts: (value: number) => boolean): number {
  let count = taken;
  while (count < sorted.length && counts(sorted[sorted.length - 1 - count]!)) count += 1;
  return count;
}
