import { hostOnnxModel } from "../model-server/host.js";
import type { NewCandidate } from "../store/types.js";
import type { Endpoint } from "../upstream/endpoint.js";
import type { CandidateCreate, EndpointInput } from "./api.js";
import type { ControlContext } from "./context.js";

const onnxPrefix = "onnx:";

/**
 * An endpoint as it is kept, once it has answered with the model's metadata.
 *
 * @param defaultModel the model's name there, unless the input names another
 * @throws UnderstudyError what is wrong with the endpoint, and what to do
 */
export async function checkedEndpoint(
  { upstream }: Pick<ControlContext, "upstream">,
  input: EndpointInput,
  defaultModel: string,
): Promise<Endpoint> {
  const endpoint = endpointOf(input, defaultModel);
  await upstream.describe(endpoint);
  return endpoint;
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
  const endpoint = endpointOf(input, defaultModel);
  if (!endpoint.url.startsWith(onnxPrefix)) {
    return { name: input.name, endpoint, sha256: null, metadata: await upstream.describe(endpoint) };
  }
  const path = endpoint.url.slice(onnxPrefix.length);
  const hosted = await hostOnnxModel({ config, log, path, name: endpoint.model });
  try {
    const metadata = await upstream.describe(hosted.endpoint);
    return { name: input.name, endpoint, sha256: hosted.sha256, metadata };
  } finally {
    await hosted.close();
  }
}

function endpointOf(input: EndpointInput, defaultModel: string): Endpoint {
  return {
    url: input.url.startsWith(onnxPrefix) ? input.url : input.url.replace(/\/+$/, ""),
    model: input.model ?? defaultModel,
    version: input.version ?? null,
    headers: input.headers ?? {},
  };
}
