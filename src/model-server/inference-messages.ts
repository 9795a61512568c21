import type { Tensor } from "../tensor/tensor.js";
import type { ModelDescription } from "./description.js";
import type { Provider } from "./provider.js";

/** What the server asks of an inference process: one load, then runs, one at a time. */
export type InferenceAsk =
  | {
      kind: "load";
      path: string;
      /** null: whatever the file is. */
      sha256: string | null;
      /** Tried in this order. */
      providers: readonly Provider[];
      intraOpThreads: number;
    }
  | { kind: "run"; inputs: readonly Tensor[]; outputs: readonly string[] };

/** Nanoseconds of one run: making onnxruntime's tensors, inference, and the way back. */
export interface RunTimes {
  inputNs: number;
  inferNs: number;
  outputNs: number;
}

/** What an inference process answers, one answer for each ask. */
export type InferenceAnswer =
  | { kind: "loaded"; description: ModelDescription }
  | { kind: "refused"; code: "model_invalid" | "provider_unavailable"; message: string; hint: string }
  | { kind: "ran"; outputs: Tensor[]; times: RunTimes }
  /** The model refused this input. */
  | { kind: "failed"; message: string };
