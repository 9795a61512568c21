/** What a benchmark is given. */
export interface BenchContext {
  /** A line for people to read. */
  say(line: string): void;
  /** Runs at the end, in reverse order; also when the benchmark fails, or is told to stop by a signal. */
  onEnd(close: () => unknown): void;
  /** How long to go on, for a benchmark that has no end of its own; null: as long as its claim is made for. */
  seconds: number | null;
  /** How much to measure with, for a benchmark of sizes; null: what its claim is made for. */
  size: number | null;
}

export interface BenchResult {
  /** By the contract's keys. A key is left out when its peer was not there. */
  ratios: Record<string, number>;
  /** Peers that were not there. */
  missing: string[];
}

/** Measures ours and its peers in one run, interleaved, and throws when their results disagree. */
export type Bench = (context: BenchContext) => Promise<BenchResult>;
