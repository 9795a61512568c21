import type { Config } from "../config.js";
import type { Logger } from "../log.js";
import type { ModelDescription } from "./description.js";
import { loadModel, type ModelSource } from "./load-model.js";
import type { Provider } from "./provider.js";

/**
 * Loads an ONNX file in a process of its own, says what it is, and ends that process.
 *
 * @throws UnderstudyError as `loadModel`
 */
export async function describeOnnxModel(
  deps: ModelSource & { config: Pick<Config, "modelsDir" | "environment">; log: Logger; require?: Provider },
): Promise<ModelDescription> {
  const { config, log, require, ...source } = deps;
  const { inference } = await loadModel(source, { config, required: require, log });
  await inference.close();
  return inference.description;
}
