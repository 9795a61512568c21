export const erasureKinds = ["request", "subject"] as const;
export const erasureStates = ["running", "waiting", "done"] as const;

/** What was searched once nothing was left to do, and what was found of what was erased: nothing. */
export interface ErasureProof {
  /** Captures that were erased; and those in the database that its tombstones still mean and that were not: 0. */
  captures: number;
  left: number;
  /** Outcomes of these captures, and those with any contents: 0. Rows of single outputs: 0. */
  outcomes: number;
  outcomesWithContents: number;
  outputRows: number;
  /** Blobs that were read back, and captures that were found in them: 0. */
  segments: number;
  answerFiles: number;
  foundInBlobs: number;
  /** Gateways that have said since that nothing received before is left in their spools. */
  gateways: number;
  provedAtMs: number;
}

export interface Erasure {
  id: string;
  kind: (typeof erasureKinds)[number];
  /** The deployment that was named; null: all. */
  deployment: string | null;
  /** `waiting`: what is known of is erased; `waitingFor` says what may hold more. */
  state: (typeof erasureStates)[number];
  /** Captures, and those of them whose contents are gone. */
  found: number;
  erased: number;
  waitingFor: string[];
  error: string | null;
  proof: ErasureProof | null;
  createdAtMs: number;
  doneAtMs: number | null;
}
