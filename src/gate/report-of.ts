import { formatComparisonId } from "../ids.js";
import type { ComparisonRow } from "../store/comparisons.js";
import type { FrozenSet, OutputErrors, SetStretch } from "../store/gate-sets.js";
import type { GatePins } from "../store/gate-types.js";
import type { Ledger, RunKind } from "../store/types.js";
import type { GateCriteria } from "./criteria.js";
import { ledgerDigest, modelDigest } from "./evidence.js";
import { type GateJudgement, quantileOf } from "./judge.js";
import { countText, percentText } from "./numbers.js";
import type { GateReport } from "./report.js";
import type { SeenLatency } from "./run-gate.js";
import { coverageOf, type GateSample, sum } from "./set.js";
import { summaryText } from "./words.js";

const quantiles = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999];

export interface ReportParts {
  deployment: string;
  candidate: string;
  author: string;
  criteria: GateCriteria;
  run: { id: number; kind: RunKind };
  pins: GatePins;
  set: FrozenSet;
  sample: GateSample;
  judgement: GateJudgement;
  ledger: Ledger;
  latency: SeenLatency | null;
  timeline: readonly SetStretch[];
  outputs: readonly OutputErrors[];
  worst: readonly (ComparisonRow & { mismatching: string[] })[];
}

/** The report of a gate: everything that any of its forms shows. Pure. */
export function reportOf(parts: ReportParts): GateReport {
  const { deployment, candidate, author, criteria, run, pins, set, sample, judgement, ledger } = parts;
  const { candidates: _, ...account } = ledger;
  const { url, name, version, sha256 } = pins.model;
  return {
    format: 1,
    deployment,
    candidate,
    author,
    run,
    model: { url, name, version, sha256 },
    policyVersion: pins.policy.version,
    selection: null,
    set: {
      frozenAt: set.frozenAtMs,
      from: set.fromMs,
      firstAt: set.firstMs,
      watermark: set.watermarkMs,
      waiting: sample.waiting,
      pending: set.pending,
    },
    criteriaGiven: criteria,
    verdict: judgement.verdict,
    summary: summaryText(candidate, judgement),
    criteria: judgement.criteria,
    requirements: judgement.requirements,
    counts: sample.counts,
    coverage: coverageOf(sample),
    ledger: account,
    timeline: parts.timeline.map(({ atMs, ...stretch }) => ({ at: atMs, ...stretch })),
    outputs: [...parts.outputs],
    latency: latencyOf(parts.latency),
    worst: parts.worst.map((row) => ({
      id: formatComparisonId(row),
      capturedAt: row.capturedAtMs,
      what: row.kind ?? row.reason ?? row.disposition,
      outputs: row.mismatching,
      maxAbs: row.maxAbs,
      flip: row.flip,
    })),
    digests: {
      model: modelDigest(pins.model),
      policy: pins.policy.sha256,
      selection: null,
      ledger: ledgerDigest(sample.counts),
    },
    notes: notesOf(parts),
  };
}

function latencyOf(seen: SeenLatency | null): GateReport["latency"] {
  if (seen === null) return null;
  const { reference, candidateMs, referenceMs } = seen.pairs;
  return {
    reference,
    pairs: candidateMs.length,
    thinned: seen.thinned,
    quantiles: quantiles.map((q) => ({
      q,
      candidate: quantileOf(candidateMs, q),
      reference: quantileOf(referenceMs, q),
    })),
  };
}

/** What a reader must know beside the numbers. */
function notesOf({ set, sample, criteria, latency, ledger }: ReportParts): string[] {
  const { counts } = sample;
  const lost = sum(ledger.dropped) + ledger.lost;
  const judged = latency !== null && criteria.maxP99Regression !== undefined;
  const lines: (string | false)[] = [
    set.pending > 0 &&
      `${countText(set.pending)} captures behind the watermark were not finished in their order when the gate started, and are not judged.`,
    counts.erased > 0 && `${countText(counts.erased)} of the captures were erased.`,
    sum(counts.notReplayed) > 0 &&
      `${countText(sum(counts.notReplayed))} captures were not replayed; they count against the coverage.`,
    counts.dead + counts.expired > 0 &&
      `${countText(counts.dead + counts.expired)} captures were given up; they count against the coverage.`,
    lost > 0 &&
      `${countText(lost)} requests of that time were dropped or lost before they were captured (${percentText(lost / Math.max(1, ledger.received))}).`,
    judged &&
      latency.pairs.reference === "primary" &&
      criteria.acceptInlinePrimaryLatency &&
      "Latency was held against the primary's own, inline, as accepted: it was measured under another load than the candidate's.",
    judged &&
      latency.thinned &&
      `Of the pairs of latencies, ${countText(latency.pairs.candidateMs.length)}, evenly spread, were judged.`,
  ];
  return lines.filter((line) => line !== false);
}
