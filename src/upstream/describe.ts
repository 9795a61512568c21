import { z } from "zod";
import { UnderstudyError } from "../errors.js";
import type { Endpoint } from "./endpoint.js";
import { excerpt } from "./excerpt.js";
import type { Exchange, ExchangeLimits, ExchangeRequest } from "./exchange.js";
import { addressOf, baseOf } from "./paths.js";

const tensorMetadata = z.looseObject({
  name: z.string(),
  datatype: z.string(),
  /** Some servers send the sizes as strings. */
  shape: z.array(z.coerce.number()),
});

const metadataSchema = z.looseObject({
  name: z.string(),
  versions: z.array(z.string()).optional(),
  platform: z.string().optional(),
  inputs: z.array(tensorMetadata).default([]),
  outputs: z.array(tensorMetadata).default([]),
});

/** What a V2 endpoint says of its model, with whatever else it says, and whether it takes requests now. */
export type ModelMetadata = z.infer<typeof metadataSchema> & { ready: boolean };

const limits: ExchangeLimits = { timeoutMs: 5_000, responseBytesMax: 1024 * 1024 };

type Get = (request: ExchangeRequest, limits: ExchangeLimits) => Promise<Exchange>;

/** Asks for a model's metadata and readiness. Throws as `Upstream.describe` says. */
export async function describeModel(endpoint: Endpoint, get: Get): Promise<ModelMetadata> {
  const ask = (address: { origin: string; path: string }) =>
    get({ ...address, method: "GET", headers: {}, body: null }, limits);
  const answer = await ask(addressOf(endpoint, ""));
  if (!answer.ok) throw await explain(endpoint, answer, () => ask(serverOf(endpoint)));
  const metadata = metadataSchema.safeParse(jsonOf(answer.body));
  if (!metadata.success) {
    throw notV2(
      endpoint,
      `its metadata of ${endpoint.model} is not what V2 says: ${excerpt(answer.body.toString("utf8", 0, 200))}`,
    );
  }
  const ready = await ask(addressOf(endpoint, "/ready"));
  return { ...metadata.data, ready: ready.ok };
}

const serverOf = (endpoint: Endpoint) => {
  const { origin, path } = baseOf(endpoint.url);
  return { origin, path: `${path}/v2` };
};

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

const notV2 = (endpoint: Endpoint, why: string) =>
  new UnderstudyError("endpoint_not_v2", `${endpoint.url} does not answer as a V2 server: ${why}`, {
    hint: "Give the base URL of a server of the Open Inference Protocol (V2), without /v2, such as http://host:8000.",
  });

/** The error to show for a failed question. `askServer` tells a wrong model from a wrong server. */
async function explain(
  endpoint: Endpoint,
  failed: Extract<Exchange, { ok: false }>,
  askServer: () => Promise<Exchange>,
): Promise<UnderstudyError> {
  if (failed.cause instanceof UnderstudyError) return failed.cause;
  switch (failed.failure) {
    case "timeout":
    case "network":
    case "throttled":
    case "http_5xx":
      return new UnderstudyError(
        "endpoint_unreachable",
        `${endpoint.url} does not answer: ${failed.message}`,
        {
          hint: "Check the URL, that the server runs, and that it can be reached from this machine.",
        },
      );
    case "protocol_error":
    case "too_large":
      return notV2(endpoint, failed.message);
    case "http_4xx": {
      const server = await askServer();
      if (!server.ok) return notV2(endpoint, failed.message);
      const which =
        endpoint.version === null ? endpoint.model : `${endpoint.model}, version ${endpoint.version}`;
      return new UnderstudyError(
        "endpoint_not_v2",
        `${endpoint.url} has no model ${which}: ${failed.message}`,
        {
          hint: "Give the model's name, and its version if any, as its server knows them.",
        },
      );
    }
  }
}
