import type { Config } from "../config.js";
import type { Logger } from "../log.js";
import { supervise } from "../process/supervise.js";
import type { Endpoint } from "../upstream/endpoint.js";
import { describeOnnxModel } from "./describe-model.js";
import { modelEnvironment } from "./environment.js";
import { findModelFile, hashOfFile } from "./model-file.js";

/** An ONNX file that a model server of its own serves. */
export interface HostedModel {
  /** Stays the same when the server is started again. */
  readonly endpoint: Endpoint;
  readonly sha256: string;
  close(): Promise<void>;
}

/**
 * Starts `understudy model-server` for one ONNX file on a free port, and again whenever it ends; requests are refused while it
 * is away. The file stays pinned to what it was at the start.
 *
 * @param deps.path absolute, or relative to the models folder
 * @param deps.sha256 the only file to take; without it, whatever the file is now
 * @throws UnderstudyError `model_invalid`, `provider_unavailable`, `child_failed`
 */
export async function hostOnnxModel(deps: {
  config: Config;
  log: Logger;
  name: string;
  path: string;
  sha256?: string;
}): Promise<HostedModel> {
  const { config, log, name } = deps;
  const path = await findModelFile(config.modelsDir, deps.path);
  const sha256 = deps.sha256 ?? (await hashOfFile(path));
  const settings = {
    ...modelEnvironment(config.environment),
    UNDERSTUDY_MODELS_DIR: config.modelsDir,
    // Only this process's replays ask it.
    UNDERSTUDY_HOST: "127.0.0.1",
  };
  const server = await supervise(
    ["model-server", "--model", `${name}=${path},sha256=${sha256}`],
    (before) => ({ ...settings, UNDERSTUDY_MODEL_SERVER_PORT: String(before?.port ?? 0) }),
    log,
  ).catch(async (error) => {
    // Loading it here names what is wrong with the file, where the child could only end.
    await describeOnnxModel({ ...deps, sha256 });
    throw error;
  });
  return {
    endpoint: { url: String(server.ready.url), model: name, version: null, headers: {} },
    sha256,
    close: () => server.stop(),
  };
}
