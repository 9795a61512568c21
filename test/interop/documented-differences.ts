import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A row of a table of known differences in docs/comparison.md. */
export interface DocumentedDifference {
  /** What the difference is called. */
  difference: string;
  /** Of the rule that is the peer's, without its name. */
  policy: { atol: number; rtol: number; statistic?: string; quantile?: number };
  /** Outputs as they are written: `FP32 [1]`, or `scores = FP32 [1]`. */
  primary: string[];
  candidate: string[];
  /** Verdicts: ours, as `match` or `mismatch KIND`, and the peer's, called in two ways. */
  ours: string;
  theirs: [string, string];
}

const text = readFileSync(fileURLToPath(new URL("../../docs/comparison.md", import.meta.url)), "utf8");

/** The known differences to a peer, as docs/comparison.md lists them. */
export function documentedDifferences(peer: "NumPy" | "Polygraphy"): DocumentedDifference[] {
  const [, section] = text.split(`## Known differences to ${peer}\n`);
  const [, table] = /\n((?:\|.*\n)+)/.exec(section!)!;
  const [, , ...rows] = table!.trim().split("\n");
  return rows.map((row) => {
    const cells = row.slice("| ".length).split(" | ");
    return {
      difference: cells[0]!,
      policy: JSON.parse(quoted(cells[1]!)[0]!),
      primary: quoted(cells[2]!),
      candidate: quoted(cells[3]!),
      ours: cells[4]!,
      theirs: [cells[5]!, cells[6]!],
    };
  });
}

function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
}
