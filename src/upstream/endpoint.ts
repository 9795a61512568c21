/** Where production is answered from: one server, or several that serve the same version. */
export interface PrimaryEndpoint extends Endpoint {
  /** URLs beside the first, under which the same model answers alike. */
  replicas?: readonly string[];
}

/** A V2 endpoint: where a version of a model answers. */
export interface Endpoint {
  /** `http(s)://host[:port][/prefix]`, without `/v2`; or, for a candidate, `onnx:PATH` under the models folder. */
  url: string;
  /** Name of the model there. */
  model: string;
  version: string | null;
  /** Header name → name of the secret that holds its value. */
  headers: Readonly<Record<string, string>>;
}
