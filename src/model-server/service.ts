import type { Config } from "../config.js";
import { UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";
import { urlOf } from "../process/address.js";
import { listen } from "../process/listen.js";
import type { Service } from "../process/service.js";
import { drain } from "./drain.js";
import { createModelHttpServer } from "./http-server.js";
import { loadModel, type ModelSource } from "./load-model.js";
import { createModelMetrics } from "./model-metrics.js";
import type { Provider } from "./provider.js";
import { type ServedModel, serveModel } from "./served-model.js";

/**
 * Serves ONNX files by the Open Inference Protocol over HTTP, each in a process of its own.
 *
 * @param deps.require refuse to start unless every model runs on this provider
 * @param deps.port instead of the configured one; 0: any free one
 * @throws UnderstudyError what kept a model from loading, or `port_in_use`; nothing is left running then
 */
export async function startModelServer(deps: {
  config: Config;
  log: Logger;
  models: readonly ModelSource[];
  require?: Provider;
  port?: number;
}): Promise<Service> {
  const { config, log, port = config.modelServerPort } = deps;
  const models = new Map<string, ServedModel>();
  const closeModels = async (): Promise<void> => {
    await Promise.all([...models.values()].map((model) => model.close()));
  };
  try {
    for (const source of deps.models) {
      if (models.has(source.name)) throw new UnderstudyError("usage", `Two models are named ${source.name}.`);
      const loaded = await loadModel(source, { config, required: deps.require, log });
      models.set(source.name, serveModel({ ...loaded, log }));
    }
    const server = createModelHttpServer({ models, metrics: createModelMetrics(models), log });
    const { host } = config;
    const setting = "UNDERSTUDY_MODEL_SERVER_PORT";
    const bound = await listen(server, { host, port, what: "model server", setting });
    return {
      ready: { url: urlOf(host, bound), port: bound },
      async close() {
        await drain(server);
        await closeModels();
      },
    };
  } catch (error) {
    await closeModels();
    throw error;
  }
}
