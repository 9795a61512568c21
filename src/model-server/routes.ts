import type { IncomingMessage } from "node:http";
import type { Registry } from "../metrics.js";
import { packageVersion } from "../paths.js";
import { quoted } from "../protocol/error.js";
import { headerLengthName } from "../protocol/headers.js";
import { configJson, metadataJson, modelVersion } from "./description.js";
import { infer } from "./infer.js";
import { InferError } from "./infer-error.js";
import { readBody } from "./read-body.js";
import { emptyReply, inferReply, jsonReply, type Reply } from "./reply.js";
import type { ServedModel } from "./served-model.js";

/** Largest request body, before and after its content coding is removed. */
const requestBytesMax = 128 * 1024 ** 2;

export interface RouteDeps {
  models: ReadonlyMap<string, ServedModel>;
  metrics: Registry;
}

/**
 * Answers one request. `wanted` tells whether the client still waits.
 *
 * @throws InferError what the client did wrong, or what went wrong here
 */
export async function route(
  request: IncomingMessage,
  wanted: () => boolean,
  deps: RouteDeps,
): Promise<Reply> {
  const { models } = deps;
  const path = segmentsOf(request.url ?? "");
  const [root, first, name, ...rest] = path;
  if (path.length === 1 && root === "metrics") {
    only("GET", request);
    const body = Buffer.from(await deps.metrics.metrics());
    return { status: 200, headers: { "content-type": deps.metrics.contentType }, body };
  }
  if (root === "v2" && first === undefined) {
    only("GET", request);
    return jsonReply(200, serverMetadata);
  }
  if (root === "v2" && first === "health" && rest.length === 0 && (name === "live" || name === "ready")) {
    only("GET", request);
    const well = name === "live" || [...models.values()].every((model) => model.isReady());
    return emptyReply(well ? 200 : 400);
  }
  if (root === "v2" && first === "models" && name !== undefined) {
    const [action, ...more] = versionless(name, rest);
    if (more.length === 0) return modelRoute(request, wanted, find(models, name), action);
  }
  throw new InferError(404, "there is nothing at this path");
}

async function modelRoute(
  request: IncomingMessage,
  wanted: () => boolean,
  model: ServedModel,
  action: string | undefined,
): Promise<Reply> {
  switch (action) {
    case undefined:
      only("GET", request);
      return jsonReply(200, metadataJson(model.name, model.description));
    case "ready":
      only("GET", request);
      return emptyReply(model.isReady() ? 200 : 400);
    case "config":
      only("GET", request);
      return jsonReply(200, configJson(model.name, model.description));
    case "stats":
      only("GET", request);
      return jsonReply(200, { model_stats: [model.stats.json(model.name, modelVersion)] });
    case "infer": {
      only("POST", request);
      const { headers } = request;
      const call = {
        body: await readBody(request, requestBytesMax),
        contentEncoding: headers["content-encoding"],
        inferenceHeaderLength: headers[headerLengthName]?.toString(),
        wanted,
      };
      return inferReply(await infer(model, call, requestBytesMax), headers["accept-encoding"]?.toString());
    }
    default:
      throw new InferError(404, "there is nothing at this path");
  }
}

const serverMetadata = {
  name: "understudy-model-server",
  version: packageVersion,
  extensions: ["binary_tensor_data", "model_configuration", "statistics"],
};

function segmentsOf(url: string): string[] {
  const path = url.split("?", 1)[0] ?? "";
  try {
    return path
      .replace(/^\/|\/$/g, "")
      .split("/")
      .map(decodeURIComponent);
  } catch {
    throw new InferError(400, "the path is not percent-encoded as it should be");
  }
}

function only(method: "GET" | "POST", request: IncomingMessage): void {
  const given = request.method === "HEAD" ? "GET" : request.method;
  if (given !== method) throw new InferError(405, `only ${method} is allowed here`);
}

function find(models: ReadonlyMap<string, ServedModel>, name: string): ServedModel {
  const model = models.get(name);
  if (model) return model;
  throw new InferError(404, `model ${quoted(name)} is unknown`);
}

function versionless(name: string, rest: string[]): string[] {
  if (rest[0] !== "versions") return rest;
  if (rest[1] !== modelVersion) {
    throw new InferError(404, `model ${quoted(name)} has no version ${quoted(rest[1] ?? "")}`);
  }
  return rest.slice(2);
}
