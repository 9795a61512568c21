import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { judge } from "../../src/compare/judge.js";
import { parsePolicy } from "../../src/compare/policy.js";
import { answered } from "../compare/tensors.js";
import { writtenTensor } from "../compare/written-tensor.js";
import { type DocumentedDifference, documentedDifferences } from "./documented-differences.js";
import { requirePython, runPython } from "./python.js";

// The tables of docs/comparison.md are the cases: both sides of every difference that they list are run.

const peers = [
  { peer: "NumPy", rule: "numpy", python: requirePython("numpy") },
  { peer: "Polygraphy", rule: "polygraphy", python: requirePython("polygraphy.comparator") },
] as const;

describe.each(peers)("docs/comparison.md, $peer", ({ peer, rule, python }) => {
  const rows = documentedDifferences(peer);

  test.each(rows)("$difference: we find $ours", ({ policy, primary, candidate, ours, theirs }) => {
    const { result, kind } = judge(
      answered(primary.map(outputOf)),
      answered(candidate.map(outputOf)),
      parsePolicy({ outputs: { "*": { rule, ...policy } } }),
      0,
    );
    expect(kind === null ? result : `${result} ${kind}`).toBe(ours);
    expect(theirs.some((verdict) => verdict !== result)).toBe(true);
  });

  describe.runIf(python)(`what ${peer} finds`, () => {
    let found: [string, string][];
    beforeAll(async () => {
      const script = join(import.meta.dirname, "known_differences.py");
      found = JSON.parse(
        await runPython([script, peer, JSON.stringify(rows satisfies DocumentedDifference[])]),
      );
    });

    test.each(rows.map((row, place) => ({ ...row, place })))("$difference: $theirs", ({ place, theirs }) => {
      expect(found[place]).toEqual(theirs);
    });
  });
});

function outputOf(written: string) {
  const [, name, text] = /^(?:(\w+) = )?(.*)$/.exec(written)!;
  return writtenTensor(text!, name);
}
