/** What a benchmark is given. */
export interface BenchContext {
  /** A line for people to read. */
  say(line: string): void;
  /** Runs at the end, in reverse order; also when the benchmark fails, or is told to stop by a signal. */
  onEnd(close: () => unknown): void;
}

export interface BenchResult {
  /** By the contract's keys. A key is left out when its peer was not there. */
  ratios: Record<string, number>;
  /** Peers that were not there. */
  missing: string[];
}

/** Measures ours and its peers in one run, interleaved, and throws when their results disagree. */
export type Bench = (context: BenchContext) => Promise<BenchResult>;
