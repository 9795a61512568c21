import { segmentCaptures } from "../../src/capture/spool.js";
import { factsOf } from "../../src/compare/facts.js";
import type { Comparison, OutputComparison } from "../../src/compare/types.js";
import { newId } from "../../src/ids.js";
import type { OutcomeRow } from "../../src/store/types.js";

/** What one mismatch in ten, all alike but for their sizes, gives: as a quantized classifier does. */
export function outcomesOfWork(firstAtMs: number, everyMs: number): OutcomeRow[] {
  return Array.from({ length: segmentCaptures }, (_, i) => outcome(firstAtMs + i * everyMs, i));
}

function outcome(capturedAtMs: number, i: number): OutcomeRow {
  const mismatch = i % 10 === 0;
  const maxAbs = (mismatch ? 0.1 : 1e-4) * (1 + ((i * 37) % 101) / 101);
  const primaryMs = 4 + ((i * 53) % 97) / 20;
  const candidateMs = 3 + ((i * 71) % 89) / 15;
  const output = outputOf(i, mismatch, maxAbs);
  const comparison: Comparison = {
    result: mismatch ? "mismatch" : "match",
    kind: mismatch ? "value" : null,
    signature: mismatch ? `signature-${i % 3}` : null,
    flip: mismatch && i % 20 === 0,
    maxAbs,
    maxRel: maxAbs / 3,
    outputs: [output],
    parameters: [],
  };
  const context = { sample: "base", disposition: "compared", reason: null } as const;
  return {
    ...context,
    captureId: newId(capturedAtMs),
    capturedAtMs,
    result: comparison.result,
    kind: comparison.kind,
    signature: comparison.signature,
    flip: comparison.flip,
    primaryVersion: "1",
    primaryMs,
    candidateMs,
    controlMs: null,
    attempts: 1,
    maxAbs,
    maxRel: comparison.maxRel,
    details: mismatch ? { message: null, attempts: [{ ms: candidateMs }], parameters: [] } : null,
    outputs: [output],
    facts: factsOf(comparison, { ...context, primaryMs, candidateMs, controlMs: null }),
  };
}

function outputOf(i: number, mismatch: boolean, maxAbs: number): OutputComparison {
  return {
    output: "logits",
    result: mismatch ? "mismatch" : "match",
    kind: mismatch ? "value" : null,
    datatype: "FP32",
    shape: [1, 10],
    candidateDatatype: "FP32",
    candidateShape: [1, 10],
    elements: 10,
    mismatches: mismatch ? 1 + (i % 4) : 0,
    maxAbs,
    maxRel: maxAbs / 3,
    meanAbs: maxAbs / 4,
    rmse: maxAbs / 3,
    cosine: 0.999,
    nonFinitePrimary: 0,
    nonFiniteCandidate: 0,
    decision: { from: "3", to: mismatch && i % 20 === 0 ? "5" : "3", flip: mismatch && i % 20 === 0 },
    worst: mismatch
      ? Array.from({ length: 4 }, (_, w) => ({
          index: [0, w],
          primary: 1.25,
          candidate: 1.25 + maxAbs,
          absError: maxAbs,
        }))
      : [],
  };
}
