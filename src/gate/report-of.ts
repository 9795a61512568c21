import { formatComparisonId } from "../ids.js";
import type { ComparisonRow } from "../store/comparisons.js";
import type { FrozenSet, OutputErrors, SetStretch } from "../store/gate-sets.js";
import type { GatePins, GateSelection } from "../store/gate-types.js";
import type { RunKind } from "../store/types.js";
import type { GateCriteria } from "./criteria.js";
import { ledgerDigest, modelDigest } from "./evidence.js";
import { type GateJudgement, quantileOf } from "./judge.js";
import { countText } from "./numbers.js";
import type { GateReport } from "./report.js";
import type { SeenLatency } from "./seen-latency.js";
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
  /** With `read` as it was judged; null: of a live run. */
  selection: GateSelection | null;
  sample: GateSample;
  judgement: GateJudgement;
  ledger: GateReport["ledger"];
  latency: SeenLatency | null;
  timeline: readonly SetStretch[];
  outputs: readonly OutputErrors[];
  worst: readonly (ComparisonRow & { mismatching: string[] })[];
  /** What must be known beside the numbers, and is not in them. */
  remarks: readonly string[];
}

/** The report of a gate: everything that any of its forms shows. Pure. */
export function reportOf(parts: ReportParts): GateReport {
  const { deployment, candidate, author, criteria, run, pins, set, selection, sample, judgement } = parts;
  const { url, name, version, sha256 } = pins.model;
  return {
    format: 1,
    deployment,
    candidate,
    author,
    run,
    model: { url, name, version, sha256 },
    policyVersion: pins.policy.version,
    selection: selection && {
      name: selection.name,
      sha256: selection.sha256,
      members: selection.members,
      read: selection.read,
    },
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
    ledger: parts.ledger,
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
      selection: selection?.sha256 ?? null,
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
function notesOf({ set, selection, sample, criteria, latency, remarks }: ReportParts): string[] {
  const { counts } = sample;
  const judged = latency !== null && criteria.maxP99Regression !== undefined && sample.latencyVoid === null;
  const pairs = countText(latency?.pairs.candidateMs.length ?? 0);
  const lines: (string | false)[] = [
    selection !== null && selectionNote(selection, set.pending),
    selection === null &&
      set.pending > 0 &&
      `${countText(set.pending)} captures behind the watermark were not finished in their order when the gate started, and are not judged.`,
    counts.erased > 0 && `${countText(counts.erased)} of the captures were erased.`,
    sum(counts.notReplayed) > 0 &&
      `${countText(sum(counts.notReplayed))} captures were not replayed; they count against the coverage.`,
    counts.dead + counts.expired > 0 &&
      `${countText(counts.dead + counts.expired)} captures were given up; they count against the coverage.`,
    ...remarks,
    judged &&
      latency.pairs.reference === "primary" &&
      criteria.acceptInlinePrimaryLatency &&
      "Latency was held against the primary's own, inline, as accepted: it was measured under another load than the candidate's.",
    judged &&
      latency.thinned &&
      `Of the pairs of latencies, ${pairs}, ${selection === null ? "evenly spread" : "the first in the order of the seal"}, were judged.`,
  ];
  return lines.filter((line) => line !== false);
}

function selectionNote({ name, members, read }: GateSelection, left: number): string {
  const of = `of the ${countText(members)} members of the sealed selection ${name}`;
  return left === 0
    ? `All ${of} were read.`
    : `${countText(read)} ${of} were read, in the order of its seal; the verdict was certain then.`;
}
