import { z } from "zod";
import { type OutputPolicy, policyFor } from "../compare/policy.js";
import { formatComparisonId } from "../ids.js";
import type { ComparisonFull, ComparisonRow, ListedComparison, OutputRow } from "../store/comparisons.js";
import {
  attempt,
  type ComparisonDetail,
  type ComparisonItem,
  decisionChanges,
  type OutputDetail,
  outputDetail,
  structuralDifference,
} from "./api.js";

export function comparisonItemView(row: ListedComparison): ComparisonItem {
  return { ...rowView(row), outputs: row.mismatching, flips: row.flips };
}

export function comparisonDetailView(full: ComparisonFull): ComparisonDetail {
  const { capture, outputs, details } = full;
  return {
    ...rowView(full),
    deployment: full.deployment,
    candidate: full.candidate,
    captureId: full.captureId,
    policyVersion: full.policy.version,
    ...outcomeDetails.parse(details),
    request: capture && {
      transport: capture.transport,
      status: capture.status,
      rule: capture.rule === "" ? null : capture.rule,
      requestBytes: capture.requestBytes,
      responseBytes: capture.responseBytes,
      tags: capture.tags,
      redacted: capture.redacted,
    },
    outputs: outputs.map((output) => outputView(output, policyFor(full.policy.body, output.output))),
  };
}

/** What a replay leaves with an outcome; an older or a later writer may leave less. */
const outcomeDetails = z
  .object({
    message: z.string().nullable().catch(null),
    attempts: z.array(attempt).catch([]),
    parameters: z.array(structuralDifference).catch([]),
  })
  .catch({ message: null, attempts: [], parameters: [] });

function rowView(row: ComparisonRow): Omit<ComparisonItem, "outputs" | "flips"> {
  return {
    id: formatComparisonId(row),
    run: row.runId,
    capturedAt: row.capturedAtMs,
    judgedAt: row.judgedAtMs,
    sample: row.sample,
    disposition: row.disposition,
    reason: row.reason,
    result: row.result,
    kind: row.kind,
    signature: row.signature,
    flip: row.flip,
    primaryVersion: row.primaryVersion,
    primaryMs: row.primaryMs,
    candidateMs: row.candidateMs,
    controlMs: row.controlMs,
    maxAbs: row.maxAbs,
    maxRel: row.maxRel,
  };
}

function outputView(row: OutputRow, judgedBy: OutputPolicy): OutputDetail {
  const { output, flip, decisionFrom, decisionTo, details, ...numbers } = row;
  const { maxUlps, changes, ...kept } = outputDetails.parse(details ?? detailsOfSame(row));
  return {
    name: output,
    ...numbers,
    ...kept,
    judgedBy,
    maxUlps: wholeNumber(maxUlps),
    decision: flip === null ? null : { from: decisionFrom ?? "", to: decisionTo ?? "", flip, changes },
  };
}

const { worst, candidateDatatype, candidateShape, differences, histogram, atolToPass, statistic } =
  outputDetail.shape;
/** What the store keeps with an output; an older or a later writer may leave less. */
const outputDetails = z.object({
  worst: worst.catch([]),
  candidateDatatype: candidateDatatype.catch(null),
  candidateShape: candidateShape.catch(null),
  differences: differences.catch([]),
  histogram: histogram.catch(null),
  atolToPass: atolToPass.catch(null),
  statistic: statistic.catch(null),
  maxUlps: z.number().nullable().catch(null),
  changes: decisionChanges.catch([]),
});

/** What the store leaves out of an output all of whose elements are finite, and the same on both sides. */
function detailsOfSame({ maxAbs, datatype, shape, elements }: OutputRow): object {
  if (maxAbs !== 0) return {};
  return {
    candidateDatatype: datatype,
    candidateShape: shape,
    histogram: { equal: elements, decades: [] },
    atolToPass: 0,
  };
}

/** Between two doubles there can be more units than JSON's numbers are sure to carry. */
function wholeNumber(value: number | null): number | string | null {
  return value === null || Number.isSafeInteger(value) ? value : BigInt(value).toString();
}
