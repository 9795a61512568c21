import type { Tensor } from "../tensor/tensor.js";
import { boxDecider } from "./boxes.js";
import { classificationDecider } from "./classification.js";
import type { Decider } from "./decider.js";
import type { DecisionPolicy } from "./decision-policy.js";
import { scoreDecider } from "./scores.js";
import { clipped } from "./structure.js";
import type { Decision, DecisionChange } from "./types.js";

/** How many decisions, and how many kinds of change, of one output are named. */
const shownMax = 16;
/** How many kinds of change are told apart before the most frequent are named. */
const talliedMax = 1024;

/**
 * What the two sides decide, row by row. It is a flip when any of these decisions differs. One decision is named by
 * its label; of several, those that differ are named, as `row:label`, else the first; 16 at most.
 *
 * @returns null when there is nothing to decide from: no rows, or an output of another kind than the policy is for
 */
export function decide(primary: Tensor, candidate: Tensor, policy: DecisionPolicy): Decision | null {
  const decider = deciderOf(primary, candidate, policy);
  if (decider === null || decider.rows === 0) return null;
  const flipped: number[] = [];
  const tally = new Map<string, { from: string; to: string; count: number }>();
  for (let row = 0; row < decider.rows; row++) {
    const [from, to] = decider.labels(row);
    if (from === to) continue;
    if (flipped.length < shownMax) flipped.push(row);
    count(tally, decider.change?.(row) ?? [from, to]);
  }
  if (flipped.length === 0) return { ...named(decider, firstRows(decider)), flip: false };
  return { ...named(decider, flipped), flip: true, changes: mostFrequent([...tally.values()]) };
}

function deciderOf(primary: Tensor, candidate: Tensor, policy: DecisionPolicy): Decider | null {
  switch (policy.type) {
    case "argmax":
    case "topk":
    case "threshold":
      return scoreDecider(primary, candidate, policy);
    case "classification":
      return classificationDecider(primary, candidate, policy);
    case "boxes":
      return boxDecider(primary, candidate, policy);
  }
}

function firstRows({ rows }: Decider): number[] {
  return Array.from({ length: Math.min(rows, shownMax) }, (_, row) => row);
}

function named(decider: Decider, rows: readonly number[]): { from: string; to: string } {
  const pairs = rows.map((row) => ({ row, labels: decider.labels(row) }));
  const side = (of: 0 | 1) =>
    pairs.map(({ row, labels }) => (decider.rows === 1 ? "" : `${row}:`) + clipped(labels[of])).join(" ");
  return { from: side(0), to: side(1) };
}

function count(tally: Map<string, DecisionChange>, [from, to]: readonly [string, string]): void {
  const key = JSON.stringify([from, to]);
  const known = tally.get(key);
  if (known === undefined && tally.size === talliedMax) return;
  tally.set(key, { from, to, count: (known?.count ?? 0) + 1 });
}

function mostFrequent(changes: readonly DecisionChange[]): DecisionChange[] {
  return [...changes]
    .sort((a, b) => b.count - a.count)
    .slice(0, shownMax)
    .map(({ from, to, count }) => ({ from: clipped(from), to: clipped(to), count }));
}
