import { latencyRatioBounds } from "../stats/latency-bounds.js";
import { createLatencyTest } from "../stats/latency-test.js";
import { rateBounds } from "../stats/rate-bounds.js";
import { createRateTest } from "../stats/rate-test.js";
import { requestsNeeded } from "../stats/requests-needed.js";
import { combineVerdicts, shareAlpha, type Verdict } from "../stats/verdict.js";
import { type CriterionName, type GateCriteria, limitsOf } from "./criteria.js";
import { percentText } from "./numbers.js";
import type { JudgedCriterion, JudgedRequirement } from "./report.js";
import { coverageOf, finishedOf, type GateSample, type SetCounts, samplesOf, sum } from "./set.js";

export interface GateJudgement {
  verdict: Verdict;
  criteria: JudgedCriterion[];
  requirements: JudgedRequirement[];
}

const quantile = 0.99;

/**
 * The verdict on a frozen set: any limit that is shown to be broken is a fail; else a limit that is not shown to be
 * kept, or a requirement that is not met, leaves it inconclusive. No limit at all is inconclusive too.
 */
export function judgeGate(criteria: GateCriteria, sample: GateSample): GateJudgement {
  const limits = Object.entries(limitsOf(criteria)) as [CriterionName, number][];
  const alpha = shareAlpha(criteria.alpha, limits.length);
  const judged = limits.map(([name, limit]) => judgeCriterion(name, limit, alpha, sample));
  const requirements = judgeRequirements(criteria, sample);
  const met = requirements.map((requirement): Verdict => (requirement.met ? "pass" : "inconclusive"));
  const verdicts = judged.map(({ verdict }) => verdict);
  return {
    verdict: verdicts.length === 0 ? "inconclusive" : combineVerdicts([...verdicts, ...met]),
    criteria: judged,
    requirements,
  };
}

function judgeCriterion(name: CriterionName, limit: number, alpha: number, sample: GateSample) {
  return name === "p99Regression"
    ? judgeLatency(limit, alpha, sample)
    : judgeRate(name, limit, alpha, sample);
}

type RateName = Exclude<CriterionName, "p99Regression">;

/** Trials and events of each rate; the same denominators as the summary's. */
function rateCounts(name: RateName, counts: SetCounts): { trials: number; events: number } {
  switch (name) {
    case "diffRate":
      return { trials: samplesOf(counts), events: counts.mismatches };
    case "flipRate":
      return { trials: counts.decided, events: counts.flips };
    case "errorRate":
      return { trials: finishedOf(counts), events: sum(counts.candidateError) };
  }
}

const nothing: Record<RateName, string> = {
  diffRate: "nothing was compared",
  flipRate: "no output declares a decision, or nothing was compared; the policy says what an output decides",
  errorRate: "nothing was replayed",
};

function judgeRate(name: RateName, limit: number, alpha: number, sample: GateSample): JudgedCriterion {
  const counts = { ...rateCounts(name, sample.counts), remaining: sample.remaining };
  const { verdict, evidence, neededEvidence } = createRateTest({ limit, alpha }).look(counts);
  const needed = verdict === "inconclusive" ? requestsNeeded(counts, { limit, alpha }) : null;
  return {
    name,
    limit,
    alpha,
    verdict,
    observed: counts.trials === 0 ? null : counts.events / counts.trials,
    bounds: rateBounds(counts, alpha),
    trials: counts.trials,
    events: counts.events,
    evidence: { against: evidence.over, for: evidence.under, needed: neededEvidence },
    needed,
    reason: counts.trials === 0 ? nothing[name] : null,
  };
}

const noTwin =
  "the control itself did not answer 1 % of the requests or more: it has no p99 to be held against";
const anotherLoad = "held against the primary's own latency, which was measured under another load";

function judgeLatency(limit: number, alpha: number, { latency, latencyVoid }: GateSample): JudgedCriterion {
  const head = { name: "p99Regression" as const, limit, alpha, needed: null, events: null };
  if (latencyVoid !== null || latency === null || latency.candidateMs.length === 0) {
    return {
      ...head,
      verdict: "inconclusive",
      observed: null,
      bounds: [0, Number.POSITIVE_INFINITY],
      trials: 0,
      evidence: { against: 0, for: 0, needed: -Math.log(alpha) },
      reason:
        latencyVoid ??
        (latency === null
          ? "there is no control to hold the candidate's latency against; register one, or accept the primary's own latency"
          : "no request was answered by both sides"),
    };
  }
  const pairs = {
    candidateMs: latency.candidateMs,
    controlMs: latency.referenceMs,
    remaining: latency.remaining,
  };
  const { verdict, evidence, neededEvidence } = createLatencyTest({
    quantile,
    regression: limit,
    alpha,
  }).look(pairs);
  const referenceMs = quantileOf(pairs.controlMs, quantile);
  // Nothing is slower than what does not answer: whoever is held against that has shown nothing.
  const gone = referenceMs === Number.POSITIVE_INFINITY;
  return {
    ...head,
    verdict: gone && verdict === "pass" ? "inconclusive" : verdict,
    observed: gone ? null : quantileOf(pairs.candidateMs, quantile) / referenceMs - 1,
    bounds: latencyRatioBounds(pairs, { quantile, alphaPerEnd: alpha }).map((ratio) => ratio - 1) as [
      number,
      number,
    ],
    trials: pairs.candidateMs.length,
    evidence: { against: evidence.slower, for: evidence.faster, needed: neededEvidence },
    reason: gone ? noTwin : latency.reference === "primary" ? anotherLoad : null,
  };
}

/** The value of rank ⌈q·n⌉, as the test has it. */
export function quantileOf(values: Float64Array, q: number): number {
  const sorted = values.toSorted();
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
}

function judgeRequirements(criteria: GateCriteria, sample: GateSample): JudgedRequirement[] {
  const samples = samplesOf(sample.counts);
  const coverage = coverageOf(sample);
  const enough = samples >= criteria.minSamples;
  const covered = coverage !== null && coverage >= criteria.minCoverage;
  return [
    {
      name: "minSamples",
      wanted: criteria.minSamples,
      found: samples,
      met: enough,
      reason: enough
        ? null
        : samples === 0
          ? "there are no samples"
          : `${(criteria.minSamples - samples).toLocaleString("en-US")} more samples are wanted`,
    },
    {
      name: "minCoverage",
      wanted: criteria.minCoverage,
      found: coverage,
      met: covered,
      reason: covered
        ? null
        : coverage === null
          ? "nothing was captured"
          : `only ${percentText(coverage)} of what was captured is finished` +
            (sample.waiting > 0
              ? `; ${sample.waiting.toLocaleString("en-US")} have waited for over a minute: do the workers keep up?`
              : ""),
    },
    {
      name: "balancedLedger",
      wanted: null,
      found: null,
      met: sample.balanced,
      reason: sample.balanced ? null : "the ledger does not balance: requests are unaccounted for",
    },
  ];
}
