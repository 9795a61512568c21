import type { RunTimes } from "./inference-messages.js";

interface Tally {
  count: number;
  ns: number;
}

/** Triton's `inference_stats` of one model, since this server started. */
export interface InferenceStats {
  succeeded(queueNs: number, times: RunTimes): void;
  /** The model refused the input, or its process died of it. */
  failed(ns: number): void;
  counts(): { succeeded: number; failed: number };
  json(name: string, version: string): Record<string, unknown>;
}

export function createInferenceStats(): InferenceStats {
  const tally = (): Tally => ({ count: 0, ns: 0 });
  const stats = {
    success: tally(),
    fail: tally(),
    queue: tally(),
    compute_input: tally(),
    compute_infer: tally(),
    compute_output: tally(),
  };
  let lastInferenceMs = 0;
  const add = (name: keyof typeof stats, ns: number): void => {
    stats[name].count++;
    stats[name].ns += ns;
  };
  return {
    succeeded(queueNs, { inputNs, inferNs, outputNs }) {
      lastInferenceMs = Date.now();
      add("success", queueNs + inputNs + inferNs + outputNs);
      add("queue", queueNs);
      add("compute_input", inputNs);
      add("compute_infer", inferNs);
      add("compute_output", outputNs);
    },
    failed(ns) {
      add("fail", ns);
    },
    counts: () => ({ succeeded: stats.success.count, failed: stats.fail.count }),
    json: (name, version) => ({
      name,
      version,
      last_inference: lastInferenceMs,
      inference_count: stats.success.count,
      execution_count: stats.success.count,
      inference_stats: structuredClone(stats),
      batch_stats: [],
    }),
  };
}
