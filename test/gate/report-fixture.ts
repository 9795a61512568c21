import { defaultPolicy } from "../../src/compare/policy.js";
import { type GateCriteria, gateCriteriaSchema } from "../../src/gate/criteria.js";
import { judgeGate } from "../../src/gate/judge.js";
import type { GateReport } from "../../src/gate/report.js";
import { reportOf } from "../../src/gate/report-of.js";
import type { GateSample, SetCounts } from "../../src/gate/set.js";
import { noonMs } from "../store/support.js";

export const criteria = (given: Partial<GateCriteria> = {}): GateCriteria =>
  gateCriteriaSchema.parse({ minSamples: 300, ...given });

export function counts(over: Partial<SetCounts> = {}): SetCounts {
  const { matches = 1_000, mismatches = 0 } = over;
  return {
    captured: matches + mismatches,
    matches,
    mismatches,
    ignored: 0,
    incomparable: 0,
    flips: 0,
    decided: matches + mismatches,
    candidateError: {},
    notReplayed: {},
    expired: 0,
    dead: 0,
    erased: 0,
    ...over,
  };
}

export function sample(over: Partial<GateSample> = {}): GateSample {
  return {
    counts: counts(),
    waiting: 0,
    remaining: Number.POSITIVE_INFINITY,
    balanced: true,
    latency: null,
    latencyVoid: null,
    ...over,
  };
}

/** A report on a sample, as a gate makes it. */
export function report(
  given: Partial<GateCriteria>,
  judged: GateSample,
  { candidate = "int8", selection = null as null | { members: number; read: number } } = {},
): GateReport {
  const limits = criteria(given);
  const latency = judged.latency && { pairs: judged.latency, thinned: false, judged: true };
  return reportOf({
    deployment: "digits",
    candidate,
    author: "ada",
    criteria: limits,
    run: { id: 7, kind: selection ? "replay" : "live" },
    pins: {
      model: { url: "http://127.0.0.1:9000", name: "int8", version: "1", sha256: null, metadata: {} },
      policy: { version: 2, sha256: "ab".repeat(32), body: defaultPolicy },
    },
    set: {
      runId: 7,
      selection: selection && { id: 1, read: selection.read },
      frozenAtMs: noonMs + 60_000,
      fromMs: noonMs,
      firstMs: noonMs,
      watermarkMs: noonMs + 50_000,
      workIds: [],
      captured: judged.counts.captured,
      pending: selection ? selection.members - selection.read : 0,
      waiting: judged.waiting,
    },
    selection: selection && { id: 1, name: "friday", sha256: "cd".repeat(32), looked: 0, ...selection },
    sample: judged,
    judgement: judgeGate(limits, judged),
    ledger: { captured: judged.counts.captured, balanced: judged.balanced },
    latency,
    timeline: [0, 1, 2].map((at) => ({
      atMs: noonMs + at * 10_000,
      samples: 300,
      mismatches: at,
      decided: 300,
      flips: 0,
      finished: 300,
      errors: 0,
    })),
    outputs: [
      {
        name: "logits <b>&",
        compared: 900,
        mismatches: 3,
        maxAbs: 0.5,
        decades: [
          { decade: null, comparisons: 500 },
          { decade: -3, comparisons: 390 },
          { decade: -1, comparisons: 10 },
        ],
      },
    ],
    worst: [],
    remarks: [],
  });
}
