import type { InferenceSession } from "onnxruntime-node";
import { messageOf, UnderstudyError } from "../errors.js";
import type { InferenceAnswer, InferenceAsk } from "./inference-messages.js";
import { loadSession } from "./load-session.js";
import { fromOrt, toOrt } from "./ort-tensors.js";

// The process of one model: whatever its native code does, only this process dies of it. See inference.ts.

let session: InferenceSession | null = null;

async function answer(ask: InferenceAsk): Promise<InferenceAnswer> {
  if (ask.kind === "load") {
    const loaded = await loadSession(ask);
    session = loaded.session;
    return { kind: "loaded", description: loaded.description };
  }
  if (session === null) throw new Error("asked to run before the model was loaded");
  const started = process.hrtime.bigint();
  const feeds = Object.fromEntries(ask.inputs.map((input) => [input.name, toOrt(input)]));
  const fed = process.hrtime.bigint();
  const results = await session.run(feeds, ask.outputs);
  const inferred = process.hrtime.bigint();
  const outputs = ask.outputs.map((name) => fromOrt(name, results[name]!));
  const times = {
    inputNs: Number(fed - started),
    inferNs: Number(inferred - fed),
    outputNs: Number(process.hrtime.bigint() - inferred),
  };
  return { kind: "ran", outputs, times };
}

function refusal(error: unknown): InferenceAnswer {
  const message = messageOf(error);
  if (
    error instanceof UnderstudyError &&
    (error.code === "model_invalid" || error.code === "provider_unavailable")
  ) {
    return { kind: "refused", code: error.code, message, hint: error.hint ?? "" };
  }
  return { kind: "failed", message };
}

// The server ends this process once it has no more use for it, or by its own end; a Ctrl-C is not meant for it.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit());
process.on("message", (ask: InferenceAsk) => {
  void answer(ask)
    .catch(refusal)
    .then((reply) => process.send!(reply));
});
