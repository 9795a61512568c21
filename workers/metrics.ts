import { Counter, Gauge, Histogram, type Registry } from "../src/metrics.js";
import type { Queues } from "../src/queue/backend.js";
import { queueNames } from "../src/queue/jobs.js";
import type { ReplayEnd } from "../src/replay/replay-work.js";

/**
 * Adds what a worker counts. Candidates are labelled as `deployment/candidate`: as many as are registered.
 * @returns what to call for each work that ended, and when a candidate stops answering this process, or answers again
 */
export function addWorkerMetrics(
  registry: Registry,
  queues: Pick<Queues, "counts">,
): { onEnd(end: ReplayEnd): void; onBreaker(candidate: string, open: boolean): void } {
  const registers = [registry];
  const works = new Counter({
    name: "understudy_works_total",
    help: "Works that ended in this process, by how",
    labelNames: ["end"] as const,
    registers,
  });
  const outcomes = new Counter({
    name: "understudy_outcomes_total",
    help: "Captures that were replayed and judged, by result; of failures of the candidate, by kind",
    labelNames: ["candidate", "result"] as const,
    registers,
  });
  const latency = new Histogram({
    name: "understudy_candidate_latency_seconds",
    help: "Latency of the candidate's answers",
    labelNames: ["candidate"] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const breaker = new Gauge({
    name: "understudy_breaker_open",
    help: "1 while this process leaves a candidate alone, since it does not answer",
    labelNames: ["candidate"] as const,
    registers,
  });
  new Gauge({
    name: "understudy_jobs",
    help: "Jobs in the queue",
    labelNames: ["queue", "state"] as const,
    registers,
    async collect() {
      this.reset();
      for (const queue of queueNames) {
        // While the queue cannot be asked its gauge is left out, and the rest is served.
        const counts = await queues.counts(queue).catch(() => ({}));
        for (const [state, n] of Object.entries(counts)) this.set({ queue, state }, n);
      }
    },
  });
  const onEnd = (end: ReplayEnd) => {
    works.inc({ end: end.end });
    // A rejudge asks no candidate, and its captures were counted when they were replayed.
    if (end.end !== "committed" || end.runKind === "rejudge") return;
    const { candidate } = end;
    const told = new Map<string, number>();
    for (const { disposition, reason, result, candidateMs } of end.outcomes) {
      const word = (disposition === "candidate_error" ? reason : result) ?? disposition;
      told.set(word, (told.get(word) ?? 0) + 1);
      if (candidateMs !== null) latency.observe({ candidate }, candidateMs / 1_000);
    }
    for (const [result, n] of told) outcomes.inc({ candidate, result }, n);
  };
  return { onEnd, onBreaker: (candidate, open) => breaker.set({ candidate }, open ? 1 : 0) };
}
