import type { CandidateLedger, Ledger } from "../../../../src/control/api.js";
import { dropMeanings, failureMeanings, notEligibleMeanings, notReplayedMeanings } from "../../vocabulary";

/** One term of a sum, with its meaning; of some terms, by reason. */
export interface Line {
  term: string;
  meaning: string;
  n: number;
  tone?: "good" | "warn" | "bad";
  reasons?: { reason: string; meaning: string; n: number }[];
}

/** received = … */
export function gatewayAccount(ledger: Ledger): Line[] {
  return [
    { term: "captured", meaning: "recorded, to be replayed", n: ledger.captured, tone: "good" },
    { term: "buffered", meaning: "recorded by a gateway, not yet in the catalogue", n: ledger.buffered },
    { term: "in flight", meaning: "being answered right now", n: ledger.inFlight },
    { term: "sampled out", meaning: "not drawn by the sample rate", n: ledger.sampledOut },
    byReason("not eligible", "cannot be replayed", ledger.notEligible, notEligibleMeanings, "warn"),
    byReason("dropped", "should have been recorded, and was given up", ledger.dropped, dropMeanings, "bad"),
    {
      term: "lost",
      meaning: "nobody knows, after a gateway crashed; an upper bound",
      n: ledger.lost,
      tone: "bad",
    },
  ];
}

/** captured = … */
export function candidateAccount(account: CandidateLedger): Line[] {
  return [
    { term: "compared", meaning: "judged under the policy", n: account.compared, tone: "good" },
    { term: "pending", meaning: "waiting for a worker, or with one", n: account.pending },
    byReason(
      "candidate error",
      "the candidate gave no usable answer",
      account.candidateError,
      failureMeanings,
      "bad",
    ),
    byReason("not replayed", "never sent to the candidate", account.notReplayed, notReplayedMeanings, "warn"),
    { term: "expired", meaning: "too old before a worker came to it", n: account.expired, tone: "warn" },
    { term: "dead", meaning: "given up after repeated failures of ours", n: account.dead, tone: "bad" },
    { term: "erased", meaning: "erased on request", n: account.erased },
  ];
}

function byReason(
  term: string,
  meaning: string,
  counts: Record<string, number>,
  meanings: Record<string, string>,
  tone: "warn" | "bad",
): Line {
  const reasons = Object.entries(counts)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => ({ reason, meaning: meanings[reason] ?? "", n }));
  return { term, meaning, n: reasons.reduce((total, { n }) => total + n, 0), tone, reasons };
}
