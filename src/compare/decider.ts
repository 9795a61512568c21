/** What two sides decide from one output each, row by row: per row of scores, element, list of classes or image. */
export interface Decider {
  readonly rows: number;
  /** What the two sides decide in a row. The decisions are the same exactly when the labels are. */
  labels(row: number): readonly [from: string, to: string];
  /** What changed in a row, where that takes fewer words than the labels. */
  change?(row: number): readonly [from: string, to: string];
}

/** The decision of a row that nothing can be decided from: NaN has no place in an order, garbage names no class. */
export const undecided = "none";

/** What left one set and what came in, so that changes of large sets are few in kind: `3` → `7`, of `1,3` and `1,7`. */
export function setChange(from: readonly string[], to: readonly string[]): readonly [string, string] {
  const gone = from.filter((member) => !to.includes(member));
  const come = to.filter((member) => !from.includes(member));
  return [gone.join(",") || "-", come.join(",") || "-"];
}
