import type { Config } from "../config.js";
import { UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { modelEnvironment } from "./environment.js";
import type { Inference } from "./inference.js";
import { startInference } from "./inference.js";
import { findModelFile } from "./model-file.js";
import { type Provider, providers } from "./provider.js";

/** A model to serve. */
export interface ModelSource {
  name: string;
  /** Absolute, or relative to the models folder. */
  path: string;
  /** The only provider to run it on; without it the first of `providers` that can be had. */
  device?: Provider;
  /** The only file to take, by its SHA-256 in hexadecimal. */
  sha256?: string;
}

/** A model that is loaded, and the way to load it once more. */
export interface LoadedModel {
  name: string;
  inference: Inference;
  restart: () => Promise<Inference>;
}

/** One thread per model: answers then do not depend on the machine's cores, and models do not fight for them. */
const intraOpThreads = 1;

/**
 * Finds and loads a model.
 *
 * @param required the provider that every model of this server must run on
 * @throws UnderstudyError `model_invalid`, `provider_unavailable`, `child_failed`; `usage` when device and `required` differ
 */
export async function loadModel(
  source: ModelSource,
  deps: { config: Pick<Config, "modelsDir" | "environment">; required?: Provider; log: Logger },
): Promise<LoadedModel> {
  const { config, required, log } = deps;
  const { name, device, sha256 } = source;
  if (device && required && device !== required) {
    throw new UnderstudyError("usage", `Model ${name} is to run on ${device}, but ${required} is required.`, {
      hint: "Leave out one of the two.",
    });
  }
  const wanted = device ?? required;
  const path = await findModelFile(config.modelsDir, source.path);
  const load = { path, intraOpThreads };
  const environment = modelEnvironment(config.environment);
  const inference = await startInference(
    { ...load, sha256: sha256?.toLowerCase() ?? null, providers: wanted ? [wanted] : providers },
    environment,
  );
  const { provider, passedOver, sha256: found } = inference.description;
  log.info({ model: name, path, sha256: found, provider, passedOver }, "model loaded");
  return {
    name,
    inference,
    // What was promised once stays: the same file on the same provider.
    restart: () => startInference({ ...load, sha256: found, providers: [provider] }, environment),
  };
}
