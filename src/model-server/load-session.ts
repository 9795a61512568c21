import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { env, InferenceSession } from "onnxruntime-node";
import { messageOf, UnderstudyError } from "../errors.js";
import type { ModelDescription, TensorDescription } from "./description.js";
import type { InferenceAsk } from "./inference-messages.js";
import { reachesOutside } from "./onnx-file.js";
import { datatypeOf } from "./ort-tensors.js";
import type { Provider } from "./provider.js";

/** What onnxruntime-node says of an input or output whose type is ONNX's BFLOAT16. */
const bfloat16 = "Unsupported data type: 16";

/**
 * Loads an ONNX file with the first of the wanted providers that can be had.
 *
 * @throws UnderstudyError `model_invalid` or `provider_unavailable`
 */
export async function loadSession(
  ask: Extract<InferenceAsk, { kind: "load" }>,
): Promise<{ session: InferenceSession; description: ModelDescription }> {
  // What matters is thrown too; a provider that is not installed would be reported in red at every start.
  env.logLevel = "fatal";
  const { path, providers, intraOpThreads } = ask;
  const bytes = await readFile(path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (ask.sha256 !== null && ask.sha256 !== sha256) {
    throw new UnderstudyError(
      "model_invalid",
      `The model ${path} is not the file that is wanted: its SHA-256 is ${sha256}, not ${ask.sha256}.`,
      {
        hint: "Put the wanted file in its place, or name the new file's SHA-256.",
      },
    );
  }
  refuseUnpinned(path, bytes);

  // Loaded from the bytes that were hashed: the file may change in between.
  const create = (provider: Provider) =>
    InferenceSession.create(bytes, {
      // TensorRT leaves what it cannot do to CUDA.
      executionProviders: provider === "tensorrt" ? ["tensorrt", "cuda"] : [provider],
      intraOpNumThreads: intraOpThreads,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
    });
  const passedOver: Record<string, string> = {};
  for (const provider of providers) {
    try {
      const session = await create(provider);
      const inputs = describe(path, "input", session.inputMetadata);
      const outputs = describe(path, "output", session.outputMetadata);
      return { session, description: { sha256, provider, passedOver, inputs, outputs } };
    } catch (error) {
      if (error instanceof UnderstudyError) throw error;
      passedOver[provider] = messageOf(error);
    }
  }
  // Not the provider's fault, if the processor cannot load it either.
  const fault = passedOver.cpu ?? (await create("cpu").then(() => null, messageOf));
  if (fault !== null) throw invalid(path, fault === bfloat16 ? "it takes or gives bfloat16" : fault);
  const reasons = Object.entries(passedOver).map(([provider, reason]) => `${provider}: ${reason}`);
  throw new UnderstudyError(
    "provider_unavailable",
    `No wanted execution provider can run the model ${path} (${reasons.join("; ")}).`,
    {
      hint: "On a machine with the GPU's driver run `ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node`, or leave the device and --require out to run on the processor.",
    },
  );
}

function refuseUnpinned(path: string, bytes: Uint8Array): void {
  let outside: string | null;
  try {
    outside = reachesOutside(bytes);
  } catch (error) {
    throw invalid(path, `it is not ONNX (${messageOf(error)})`);
  }
  if (outside === null) return;
  throw new UnderstudyError(
    "model_invalid",
    `The model ${path} refers to ${outside}, which its SHA-256 does not cover.`,
    {
      hint: "Save the model as one file, for example with onnx.save(model, path, save_as_external_data=False).",
    },
  );
}

function describe(
  path: string,
  role: string,
  values: readonly InferenceSession.ValueMetadata[],
): TensorDescription[] {
  return values.map((value) => {
    const datatype = value.isTensor ? datatypeOf(value.type) : null;
    if (!value.isTensor || datatype === null) {
      throw invalid(
        path,
        `its ${role} ${value.name} is ${value.isTensor ? `of type ${value.type}` : "not a tensor"}`,
      );
    }
    return {
      name: value.name,
      datatype,
      shape: value.shape.map((dimension) => (typeof dimension === "number" ? dimension : -1)),
    };
  });
}

function invalid(path: string, reason: string): UnderstudyError {
  return new UnderstudyError("model_invalid", `The model ${path} cannot be served: ${reason}`, {
    hint: "Check that it is an ONNX file (onnx.checker.check_model) whose inputs and outputs are tensors of a type of the Open Inference Protocol other than bfloat16.",
  });
}
