import { Command, InvalidArgumentError, Option } from "commander";
import { loadConfig } from "../config.js";
import { createLogger } from "../log.js";
import { describeOnnxModel } from "../model-server/describe-model.js";
import { metadataJson } from "../model-server/description.js";
import type { ModelSource } from "../model-server/load-model.js";
import { isProvider, type Provider, providers } from "../model-server/provider.js";
import { startModelServer } from "../model-server/service.js";
import { serve } from "../process/service.js";
import { port } from "./options.js";

interface ModelServerOptions {
  model: ModelSource[];
  require?: Provider;
  port?: number;
  check?: true;
}

/** `understudy model-server`: serves ONNX files by the Open Inference Protocol. */
export function modelServerCommand(): Command {
  return new Command("model-server")
    .description("Serve ONNX files by the Open Inference Protocol (V2), each in a process of its own.")
    .requiredOption(
      "--model <name=path[,device=…][,sha256=…]>",
      `a model to serve, its path relative to UNDERSTUDY_MODELS_DIR; device: ${providers.join(", ")}; may be repeated`,
      (text: string, earlier: ModelSource[] = []) => [...earlier, parseModel(text)],
    )
    .addOption(
      new Option("--require <provider>", "refuse to start unless every model runs on it").choices(providers),
    )
    .option("--port <port>", "instead of UNDERSTUDY_MODEL_SERVER_PORT; 0: any free one", port)
    .option("--check", "load the models, print what they are as JSON, and end")
    .action(async (options: ModelServerOptions) => {
      const config = loadConfig();
      const log = createLogger(config, "model-server");
      if (!options.check) {
        const { model: models, require, port } = options;
        await serve(await startModelServer({ config, log, models, require, port }), log);
        return;
      }
      const found: unknown[] = [];
      for (const model of options.model) {
        const description = await describeOnnxModel({ ...model, config, log, require: options.require });
        found.push(metadataJson(model.name, description));
      }
      process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    });
}

/** Reads `NAME=PATH[,device=…][,sha256=…]`. The path may have commas of its own. */
function parseModel(text: string): ModelSource {
  const [, name, rest] = /^([A-Za-z0-9_.-]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || rest === undefined) {
    throw new InvalidArgumentError("must be NAME=PATH, the name of letters, digits, '.', '_' and '-'");
  }
  const source: ModelSource = { name, path: rest };
  const option = /^(.+),(device|sha256)=([^,]*)$/s;
  for (let match = option.exec(source.path); match; match = option.exec(source.path)) {
    const [, path = "", key, value = ""] = match;
    source.path = path;
    if (key === "sha256") {
      if (!/^[0-9a-f]{64}$/i.test(value))
        throw new InvalidArgumentError("sha256 must have 64 hexadecimal digits");
      source.sha256 = value.toLowerCase();
    } else {
      if (!isProvider(value)) throw new InvalidArgumentError(`device must be one of ${providers.join(", ")}`);
      source.device = value;
    }
  }
  return source;
}
