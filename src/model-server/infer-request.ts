import { isUtf8 } from "node:buffer";
import { quoted, shaped } from "../protocol/error.js";
import { type InferRequest, type InferTensor, rawInputName } from "../protocol/infer.js";
import { usesSharedMemory } from "../protocol/request-parameters.js";
import { elementBytes, elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { bytesElements } from "../tensor/view.js";
import type { ModelDescription, TensorDescription } from "./description.js";
import { InferError } from "./infer-error.js";

/**
 * Holds a request against the model that it is for: every input there, once, of the model's datatype and shape; every output
 * known. Checked here so that native code never sees what the model does not declare.
 *
 * @returns inputs in the model's order, and the names of the outputs to compute
 * @throws InferError 400
 */
export function checkRequest(
  request: InferRequest,
  model: ModelDescription,
): { inputs: Tensor[]; outputs: string[] } {
  if (usesSharedMemory(request)) throw new InferError(400, "shared memory is not supported");
  const given = new Map(request.inputs.map((input) => [input.name, input]));
  const raw = given.get(rawInputName);
  const inputs = raw ? [rawInput(raw, model)] : model.inputs.map((wanted) => checkInput(wanted, given));
  const unknown = [...given.keys()].find(
    (name) => name !== rawInputName && model.inputs.every((input) => input.name !== name),
  );
  if (unknown !== undefined) {
    throw new InferError(400, `input ${quoted(unknown)} is unknown, the model has ${names(model.inputs)}`);
  }
  return { inputs, outputs: checkOutputs(request, model) };
}

function checkInput(wanted: TensorDescription, given: ReadonlyMap<string, InferTensor>): Tensor {
  const input = given.get(wanted.name);
  if (input === undefined) throw new InferError(400, `input ${quoted(wanted.name)} is missing`);
  const { name, datatype, shape, data } = input;
  if (datatype !== wanted.datatype) {
    throw new InferError(400, `input ${quoted(name)} is ${datatype}, the model wants ${wanted.datatype}`);
  }
  const fits =
    shape.length === wanted.shape.length &&
    wanted.shape.every((dimension, axis) => dimension === -1 || dimension === shape[axis]);
  if (!fits) {
    throw new InferError(
      400,
      `input ${quoted(name)} has shape ${shaped(shape)}, the model wants ${shaped(wanted.shape)} (-1: any)`,
    );
  }
  // onnxruntime-node makes JavaScript strings of these, and C strings of those: others would be changed silently.
  if (datatype === "BYTES" && !bytesElements(input).every((text) => isUtf8(text) && !text.includes(0))) {
    throw new InferError(400, `input ${quoted(name)}: onnxruntime-node takes only text in UTF-8 without NUL`);
  }
  return { name, datatype, shape, data };
}

/** A body that is one tensor and nothing else: the model says which, and the body's length gives the free dimension. */
function rawInput({ data }: InferTensor, model: ModelDescription): Tensor {
  const [only, ...more] = model.inputs;
  const free = only?.shape.filter((dimension) => dimension === -1).length ?? 0;
  const bytes = only && elementBytes(only.datatype);
  if (!only || more.length > 0 || free > 1 || !bytes) {
    throw new InferError(
      400,
      "a raw binary request needs a model with one input of fixed-size elements and at most one free dimension",
    );
  }
  const fixed = bytes * elementCount(only.shape.filter((dimension) => dimension !== -1));
  const length = free === 0 ? 1 : data.length / fixed;
  if (!Number.isInteger(length) || length * fixed !== data.length) {
    throw new InferError(
      400,
      `the raw body has ${data.length} bytes, which do not fit input ${quoted(only.name)}: ${only.datatype} ${shaped(only.shape)}`,
    );
  }
  const shape = only.shape.map((dimension) => (dimension === -1 ? length : dimension));
  return { name: only.name, datatype: only.datatype, shape, data };
}

function checkOutputs(request: InferRequest, model: ModelDescription): string[] {
  for (const { name, parameters } of request.outputs) {
    if (model.outputs.every((output) => output.name !== name)) {
      throw new InferError(400, `output ${quoted(name)} is unknown, the model has ${names(model.outputs)}`);
    }
    if (parameters.classification) {
      throw new InferError(400, `output ${quoted(name)}: the classification extension is not supported`);
    }
  }
  const wanted = request.outputs.length > 0 ? request.outputs : model.outputs;
  return [...new Set(wanted.map((output) => output.name))];
}

function names(tensors: readonly TensorDescription[]): string {
  return tensors.map(({ name }) => quoted(name)).join(", ");
}
