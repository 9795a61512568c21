import cluster from "node:cluster";
import { AggregatorRegistry } from "prom-client";
import type { Registry } from "../metrics.js";

type Snapshot = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

/** What the process that owns the metrics port asks of a serving one, and what that answers. */
interface Question {
  metricsQuestion: number;
}
interface Answer {
  metricsAnswer: number;
  metrics: Snapshot;
}

/** A worker that does not answer within this time is left out of the sums. */
const answerMs = 1_000;

/** In a serving process: answers the owner of the metrics port until it is told to stop. */
export function answerMetrics(registry: Registry): () => void {
  const hear = async (message: unknown) => {
    if (!isQuestion(message)) return;
    const metrics = await registry.getMetricsAsJSON();
    const answer: Answer = { metricsAnswer: message.metricsQuestion, metrics };
    // Whoever asked may be gone by now.
    if (process.connected) process.send?.(answer, () => {});
  };
  process.on("message", hear);
  return () => process.off("message", hear);
}

/** What all serving processes count, put together as each metric says, in Prometheus' form. */
export function createSummedMetrics(): { contentType: string; metrics(): Promise<string> } {
  let questions = 0;
  return {
    contentType: AggregatorRegistry.PROMETHEUS_CONTENT_TYPE,

    async metrics() {
      questions += 1;
      const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected());
      const snapshots = await Promise.all(workers.map((worker) => ask(worker!, questions)));
      const known = snapshots.filter((snapshot) => snapshot !== null);
      return AggregatorRegistry.aggregate(known).metrics();
    },
  };
}

function ask(worker: NonNullable<typeof cluster.worker>, question: number): Promise<Snapshot | null> {
  return new Promise((resolve) => {
    const end = (snapshot: Snapshot | null) => {
      clearTimeout(timer);
      worker.off("message", hear);
      resolve(snapshot);
    };
    const hear = (message: unknown) => {
      if (isAnswer(message) && message.metricsAnswer === question) end(message.metrics);
    };
    const timer = setTimeout(() => end(null), answerMs);
    worker.on("message", hear);
    worker.send({ metricsQuestion: question } satisfies Question, (error) => {
      if (error) end(null);
    });
  });
}

function isQuestion(message: unknown): message is Question {
  return typeof message === "object" && message !== null && "metricsQuestion" in message;
}

function isAnswer(message: unknown): message is Answer {
  return typeof message === "object" && message !== null && "metricsAnswer" in message;
}
