import { fork } from "node:child_process";
import { join } from "node:path";
import { messageOf, UnderstudyError } from "../errors.js";
import { packageRoot } from "../paths.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ModelDescription } from "./description.js";
import type { InferenceAnswer, InferenceAsk } from "./inference-messages.js";

/** A process of its own in which one model is loaded. */
export interface Inference {
  readonly description: ModelDescription;
  /** One run at a time. Rejects when the process ends before it has answered. */
  run(inputs: readonly Tensor[], outputs: readonly string[]): Promise<InferenceAnswer>;
  /** Resolves when the process has ended, with how. */
  readonly exited: Promise<string>;
  /** Ends the process, by force when it is still computing after `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

const inferenceMain = join(packageRoot, "dist/src/model-server/inference-main.js");

/**
 * Starts an inference process and loads a model in it; the load may take as long as an engine's build takes.
 *
 * @param environment of the new process: nothing that a model file must not learn
 * @throws UnderstudyError `model_invalid`, `provider_unavailable`; `child_failed` when the process dies of the load
 */
export async function startInference(
  load: Omit<Extract<InferenceAsk, { kind: "load" }>, "kind">,
  environment: NodeJS.ProcessEnv,
): Promise<Inference> {
  // The path is there for whoever looks at the list of processes.
  const child = fork(inferenceMain, [load.path], {
    // Advanced serialization copies typed arrays as they are; its stdout is not ours to write results to.
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: [],
    env: environment,
  });
  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.on("error", (error) => resolve(messageOf(error)));
  });
  const close = async (graceMs = 1_000): Promise<void> => {
    if (child.connected) child.disconnect();
    const kill = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await exited;
    clearTimeout(kill);
  };

  let settle: { resolve(answer: InferenceAnswer): void; reject(error: Error): void } | null = null;
  child.on("message", (answer: InferenceAnswer) => settle?.resolve(answer));
  void exited.then((how) => {
    settle?.reject(new UnderstudyError("child_failed", `the inference process ended (${how})`));
  });
  const ask = (question: InferenceAsk): Promise<InferenceAnswer> =>
    new Promise<InferenceAnswer>((resolve, reject) => {
      settle = { resolve, reject };
      // Where this fails the channel is closed, and the process ends: that rejects.
      child.send(question, () => {});
    }).finally(() => {
      settle = null;
    });

  try {
    const answer = await ask({ kind: "load", ...load });
    switch (answer.kind) {
      case "loaded":
        return {
          description: answer.description,
          run: (inputs, outputs) => ask({ kind: "run", inputs, outputs }),
          exited,
          close,
        };
      case "refused":
        throw new UnderstudyError(answer.code, answer.message, { hint: answer.hint });
      case "failed":
      case "ran":
        throw new Error(answer.kind === "failed" ? answer.message : "an answer to another question");
    }
  } catch (error) {
    await close();
    if (error instanceof UnderstudyError && error.code !== "child_failed") throw error;
    throw new UnderstudyError(
      "child_failed",
      `The model ${load.path} could not be loaded: ${messageOf(error)}.`,
      {
        hint: "Load the file with onnxruntime by hand; when that process dies too, the fault is the file's or the driver's.",
        cause: error,
      },
    );
  }
}
