import type { Config } from "../config.js";
import { UnderstudyError } from "../errors.js";
import { describeOnnxModel } from "../model-server/describe-model.js";
import { metadataJson } from "../model-server/description.js";
import { needsKey, type Redaction } from "../redaction/settings.js";
import { isHashable } from "../redaction/tensors.js";
import type { NewCandidate } from "../store/types.js";
import type { ModelMetadata } from "../upstream/describe.js";
import type { Endpoint, PrimaryEndpoint } from "../upstream/endpoint.js";
import { backfillCaptures, type CandidateCreate, type EndpointInput, type PrimaryInput } from "./api.js";
import type { ControlContext } from "./context.js";

const onnxPrefix = "onnx:";

/**
 * An endpoint as it is kept, once it has answered with the model's metadata.
 *
 * @param defaultModel the model's name there, unless the input names another
 * @throws UnderstudyError what is wrong with the endpoint, and what to do
 */
export async function checkedEndpoint(
  { upstream, config }: Pick<ControlContext, "upstream" | "config">,
  input: EndpointInput,
  defaultModel: string,
): Promise<Endpoint> {
  const endpoint = endpointOf(config, input, defaultModel);
  await upstream.describe(endpoint);
  return endpoint;
}

/**
 * A primary as it is kept, once each of its replicas has answered with the model's metadata.
 *
 * @throws UnderstudyError what is wrong with the first that does not, and what to do
 */
export async function checkedPrimary(
  context: Pick<ControlContext, "upstream" | "config">,
  { replicas = [], ...input }: PrimaryInput,
  defaultModel: string,
): Promise<PrimaryEndpoint> {
  const endpoint = await checkedEndpoint(context, input, defaultModel);
  const others = [...new Set(replicas.map((url) => url.replace(/\/+$/, "")))].filter(
    (url) => url !== endpoint.url,
  );
  for (const url of others) await context.upstream.describe({ ...endpoint, url });
  return others.length === 0 ? endpoint : { ...endpoint, replicas: others };
}

/**
 * A candidate ready to be registered: its endpoint has answered, or its ONNX file was loaded once by a model server
 * of its own.
 *
 * @throws UnderstudyError what is wrong with it; nothing is registered then
 */
export async function checkedCandidate(
  context: Pick<ControlContext, "upstream" | "config" | "log">,
  input: CandidateCreate,
  defaultModel: string,
): Promise<NewCandidate> {
  const { config, log, upstream } = context;
  const endpoint = endpointOf(config, input, defaultModel);
  const { name, newRevision = false } = input;
  const given = { name, endpoint, newRevision, ...flowOf(input) };
  if (!endpoint.url.startsWith(onnxPrefix)) {
    return { ...given, sha256: null, metadata: await upstream.describe(endpoint) };
  }
  if (!/^[A-Za-z0-9_.-]+$/.test(endpoint.model)) {
    throw new UnderstudyError(
      "invalid_request",
      `A model that is served here cannot be named ${endpoint.model}`,
      {
        hint: "Give a model of letters, digits, '.', '_' and '-'.",
      },
    );
  }
  const path = endpoint.url.slice(onnxPrefix.length);
  const model = await describeOnnxModel({ config, log, path, name: endpoint.model });
  return { ...given, sha256: model.sha256, metadata: metadataJson(endpoint.model, model) };
}

function flowOf({ flow, backfill }: CandidateCreate): Pick<NewCandidate, "flow" | "backfill"> {
  const { since = null, captures = backfillCaptures.default } = backfill === true ? {} : (backfill ?? {});
  return {
    ...(flow === undefined ? {} : { flow }),
    ...(backfill === undefined ? {} : { backfill: { sinceMs: since, capturesMax: captures } }),
  };
}

/**
 * A redaction under which gateways can capture requests of this primary.
 *
 * @throws UnderstudyError `invalid_request` when they would drop everything instead: it needs a key and none is set here,
 * or it hashes tensors that cannot be hashed
 */
export async function checkedRedaction(
  { config, upstream }: Pick<ControlContext, "config" | "upstream">,
  redaction: Redaction,
  primary: Endpoint,
): Promise<Redaction> {
  if (config.redactionKey === undefined && needsKey(redaction)) {
    throw new UnderstudyError("invalid_request", "This redaction makes keyed hashes, and no key is set", {
      hint:
        "Set UNDERSTUDY_REDACTION_KEY to the same secret for the control plane, the gateways and the workers, " +
        "for instance from `openssl rand -hex 32`; or mask or drop instead.",
      details: { faults: [{ path: "redaction", message: "needs UNDERSTUDY_REDACTION_KEY" }] },
    });
  }
  if (!redaction.rules.some(({ action }) => action === "hash")) return redaction;
  // What must not be kept is not to wait for a primary that is away.
  const model = await upstream.describe(primary).catch(() => null);
  const faults = model === null ? [] : unhashable(redaction, model);
  if (faults.length === 0) return redaction;
  const named = faults.map(({ message }) => message).join("; ");
  throw new UnderstudyError("invalid_request", `This redaction hashes what cannot be hashed: ${named}`, {
    hint: "Mask, drop or truncate these; of tensors only BYTES and integers of 32 and 64 bits can be hashed.",
    details: { faults },
  });
}

function unhashable({ rules }: Redaction, { inputs, outputs }: ModelMetadata) {
  return rules.flatMap(({ target, action }, index) => {
    if (action !== "hash" || !("input" in target || "output" in target)) return [];
    const [kind, name, tensors] =
      "input" in target ? ["input", target.input, inputs] : ["output", target.output, outputs];
    const found = (tensors as ModelMetadata["inputs"]).find((tensor) => tensor.name === name);
    if (found === undefined || isHashable(found.datatype)) return [];
    return [{ path: `redaction.rules.${index}.action`, message: `the ${kind} ${name} is ${found.datatype}` }];
  });
}

/** @throws UnderstudyError `invalid_request` when a header names a secret that is not set here */
function endpointOf(config: Pick<Config, "secret">, input: EndpointInput, defaultModel: string): Endpoint {
  const headers = input.headers ?? {};
  const unset = Object.values(headers).filter((secret) => config.secret(secret) === undefined);
  if (unset.length > 0) {
    throw new UnderstudyError(
      "invalid_request",
      `Headers name secrets that are not set: ${unset.join(", ")}`,
      {
        hint: "Set UNDERSTUDY_SECRET_<NAME> for the control plane and the workers, or correct the names.",
        details: { faults: unset.map((secret) => ({ path: "headers", message: `${secret} is not set` })) },
      },
    );
  }
  return {
    url: input.url.startsWith(onnxPrefix) ? input.url : input.url.replace(/\/+$/, ""),
    model: input.model ?? defaultModel,
    version: input.version ?? null,
    headers,
  };
}
