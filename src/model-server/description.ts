import type { Datatype } from "../tensor/tensor.js";
import type { Provider } from "./provider.js";

/** An input or output of a model. Dimensions that a request may choose are -1. */
export interface TensorDescription {
  name: string;
  datatype: Datatype;
  shape: readonly number[];
}

/** What a loaded ONNX file turned out to be. */
export interface ModelDescription {
  /** Of the file's bytes, in hexadecimal. */
  sha256: string;
  /** The execution provider in force. */
  provider: Provider;
  /** Wanted before it, but not to be had: provider → reason. */
  passedOver: Readonly<Record<string, string>>;
  inputs: readonly TensorDescription[];
  outputs: readonly TensorDescription[];
}

/** The only version of a model that this server has. */
export const modelVersion = "1";

const platform = "onnxruntime_onnx";

/** `GET /v2/models/NAME`. `parameters` is ours: which file this is, and what runs it. */
export function metadataJson(name: string, model: ModelDescription): Record<string, unknown> {
  return {
    name,
    versions: [modelVersion],
    platform,
    inputs: model.inputs,
    outputs: model.outputs,
    parameters: { sha256: model.sha256, execution_provider: model.provider },
  };
}

/** `GET /v2/models/NAME/config`: the part of Triton's model configuration that applies here. */
export function configJson(name: string, model: ModelDescription): Record<string, unknown> {
  const field = ({ name, datatype, shape }: TensorDescription) => ({
    name,
    data_type: `TYPE_${datatype === "BYTES" ? "STRING" : datatype}`,
    dims: shape,
  });
  return {
    name,
    platform,
    backend: "onnxruntime",
    version_policy: { latest: { num_versions: 1 } },
    // 0: the batch is a dimension like any other, requests are not batched together.
    max_batch_size: 0,
    input: model.inputs.map(field),
    output: model.outputs.map(field),
    instance_group: [{ name, kind: model.provider === "cpu" ? "KIND_CPU" : "KIND_GPU", count: 1 }],
    parameters: {
      sha256: { string_value: model.sha256 },
      execution_provider: { string_value: model.provider },
    },
  };
}
