import { z } from "zod";
import { formatComparisonId } from "../ids.js";
import type { ComparisonFull, ComparisonRow, OutputRow } from "../store/comparisons.js";
import {
  attempt,
  type ComparisonDetail,
  type ComparisonItem,
  type OutputDetail,
  structuralDifference,
} from "./api.js";

export function comparisonItemView(row: ComparisonRow & { mismatching: string[] }): ComparisonItem {
  return { ...rowView(row), outputs: row.mismatching };
}

export function comparisonDetailView(full: ComparisonFull): ComparisonDetail {
  const { capture, outputs, details } = full;
  return {
    ...rowView(full),
    deployment: full.deployment,
    candidate: full.candidate,
    captureId: full.captureId,
    ...outcomeDetails.parse(details),
    request: capture && {
      transport: capture.transport,
      status: capture.status,
      rule: capture.rule === "" ? null : capture.rule,
      requestBytes: capture.requestBytes,
      responseBytes: capture.responseBytes,
      tags: capture.tags,
    },
    outputs: outputs.map(outputView),
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

function rowView(row: ComparisonRow): Omit<ComparisonItem, "outputs"> {
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

function outputView(row: OutputRow): OutputDetail {
  const { output, flip, decisionFrom, decisionTo, details, ...numbers } = row;
  return {
    name: output,
    ...numbers,
    candidateDatatype: details.candidateDatatype ?? null,
    candidateShape: details.candidateShape ?? null,
    decision: flip === null ? null : { from: decisionFrom ?? "", to: decisionTo ?? "", flip },
    worst: details.worst ?? [],
    differences: details.differences ?? [],
  };
}
