import { join } from "node:path";
import { pino } from "pino";
import { type Config, loadConfig } from "../../src/config.js";
import type { ModelSource } from "../../src/model-server/load-model.js";
import type { Provider } from "../../src/model-server/provider.js";
import { startModelServer } from "../../src/model-server/service.js";
import { digitsDir, packageRoot } from "../../src/paths.js";
import type { Service } from "../../src/process/service.js";

/** The small models made by models/make.py. */
export const modelsDir = join(packageRoot, "test/model-server/models");
export { digitsDir };

export const silent = pino({ level: "silent" });

export function configOf(modelsDir: string): Config {
  return loadConfig({
    PATH: process.env.PATH,
    UNDERSTUDY_MODELS_DIR: modelsDir,
    UNDERSTUDY_LOG_LEVEL: "fatal",
  });
}

/** A model server on a free port. `url` ends in `/v2`. */
export async function startServer(
  models: ModelSource[],
  options: { modelsDir?: string; require?: Provider; port?: number } = {},
): Promise<Service & { url: string }> {
  const { modelsDir: folder = modelsDir, ...rest } = options;
  const service = await startModelServer({ config: configOf(folder), log: silent, models, port: 0, ...rest });
  return { ...service, url: `${service.ready.url}/v2` };
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const raw = typeof body === "string" || body instanceof Uint8Array;
  return fetch(url, { method: "POST", headers, body: raw ? body : JSON.stringify(body) });
}

/** The error that a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error("should have been rejected");
    },
    (error: unknown) => error,
  );
}
