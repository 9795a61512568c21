import { described, excerptOf, ProtocolError } from "./error.js";
import { isRecord, parametersOf, stringField } from "./fields.js";
import { type JsonReader, parseJson, stringifyJson } from "./json.js";
import { decodeTensors, encodeTensors, type InferTensor } from "./tensor-codec.js";

export type { InferTensor } from "./tensor-codec.js";

/** An output that a request asks for by name. */
export interface RequestedOutput {
  name: string;
  parameters: Record<string, unknown>;
}

/**
 * A V2 inference request. Integers beyond 2^53 in parameters are bigints. The input of a raw binary request has the
 * name {@link rawInputName}: its datatype and shape are the model's to know.
 */
export interface InferRequest {
  id?: string;
  parameters: Record<string, unknown>;
  inputs: InferTensor[];
  /** Empty: all outputs are wanted. */
  outputs: RequestedOutput[];
}

/** A V2 inference response. Name and version are empty when the server named none. */
export interface InferResponse {
  modelName: string;
  modelVersion: string;
  id?: string;
  parameters: Record<string, unknown>;
  outputs: InferTensor[];
}

/** A message ready to send; `headerLength` null: all JSON, and no Inference-Header-Content-Length is sent. */
export interface EncodedMessage {
  body: Buffer;
  headerLength: number | null;
}

/** Name of the single input of a raw binary request, which carries none; no other input can have an empty name. */
export const rawInputName = "";

/**
 * Reads the body of an infer request, free of content coding. `headerLength` is what `parseHeaderLength` gave. Binary
 * tensors share the body's memory. Throws ProtocolError on every disagreement between what is claimed and what is there.
 */
export function decodeInferRequest(
  body: Uint8Array,
  headerLength: number | null,
  parse: JsonReader = parseJson,
): InferRequest {
  if (headerLength === 0) return rawRequest(body);
  const { json, binary } = decodeMessage(body, headerLength, "the request", parse);
  return {
    ...idOf(json, "the request"),
    parameters: parametersOf(json, "the request"),
    inputs: decodeTensors("input", json.inputs, binary),
    outputs: decodeRequestedOutputs(json.outputs),
  };
}

/** Reads the body of an infer response; as {@link decodeInferRequest}. */
export function decodeInferResponse(
  body: Uint8Array,
  headerLength: number | null,
  parse: JsonReader = parseJson,
): InferResponse {
  const { json, binary } = decodeMessage(body, headerLength, "the response", parse);
  const response: InferResponse = {
    modelName: stringField(json, "model_name", "the response") ?? "",
    modelVersion: stringField(json, "model_version", "the response") ?? "",
    parameters: parametersOf(json, "the response"),
    outputs: decodeTensors("output", json.outputs, binary),
  };
  const id = stringField(json, "id", "the response");
  if (id !== undefined) response.id = id;
  return response;
}

/**
 * Writes an infer request. What JSON cannot carry (FP16, BF16, BYTES that are not UTF-8) is binary in any case.
 * A raw request is written raw.
 */
export function encodeInferRequest(request: InferRequest, { binary }: { binary: boolean }): EncodedMessage {
  const raw = request.inputs.find((input) => input.name === rawInputName);
  if (raw) return { body: Buffer.from(raw.data), headerLength: 0 };
  const { json, parts } = encodeTensors(request.inputs, () => binary);
  const outputs = request.outputs.map(({ name, parameters }) => ({
    name,
    parameters: unlessEmpty(parameters),
  }));
  return message(
    {
      id: request.id,
      parameters: unlessEmpty(request.parameters),
      inputs: json,
      outputs: outputs.length > 0 ? outputs : undefined,
    },
    parts,
  );
}

/** Writes an infer response. `binary` chooses each output's form; what JSON cannot carry is binary in any case. */
export function encodeInferResponse(
  response: InferResponse,
  { binary }: { binary: (outputName: string) => boolean },
): EncodedMessage {
  const { json, parts } = encodeTensors(response.outputs, binary);
  return message(
    {
      model_name: response.modelName,
      model_version: response.modelVersion,
      id: response.id,
      parameters: unlessEmpty(response.parameters),
      outputs: json,
    },
    parts,
  );
}

function decodeMessage(
  body: Uint8Array,
  headerLength: number | null,
  what: string,
  parse: JsonReader,
): { json: Record<string, unknown>; binary: Uint8Array | null } {
  const jsonLength = headerLength ?? body.length;
  if (!Number.isSafeInteger(jsonLength) || jsonLength < 0 || jsonLength > body.length) {
    throw new ProtocolError(`${what} has ${body.length} bytes, its JSON cannot have ${jsonLength}`);
  }
  const head = body.subarray(0, jsonLength);
  const json = parse(head);
  if (!isRecord(json)) {
    throw new ProtocolError(`${what} must be a JSON object, found ${described(json)}`, excerptOf(head));
  }
  return { json, binary: headerLength === null ? null : body.subarray(jsonLength) };
}

/** Triton answers a raw request with all outputs in binary, hence the parameter. */
function rawRequest(body: Uint8Array): InferRequest {
  const data = new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  return {
    parameters: { binary_data_output: true },
    inputs: [{ name: rawInputName, datatype: "UINT8", shape: [data.length], parameters: {}, data }],
    outputs: [],
  };
}

function decodeRequestedOutputs(list: unknown): RequestedOutput[] {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw new ProtocolError(`"outputs" must be an array, found ${described(list)}`);
  return list.map((item, position) => {
    const where = `requested output ${position}`;
    const name = isRecord(item) ? stringField(item, "name", where) : undefined;
    if (!name) throw new ProtocolError(`${where} must be an object with a name, found ${described(item)}`);
    return { name, parameters: parametersOf(item, where) };
  });
}

function idOf(json: Readonly<Record<string, unknown>>, what: string): { id?: string } {
  const id = stringField(json, "id", what);
  return id === undefined ? {} : { id };
}

function unlessEmpty(parameters: Record<string, unknown>): Record<string, unknown> | undefined {
  return Object.keys(parameters).length > 0 ? parameters : undefined;
}

function message(json: unknown, parts: readonly Uint8Array[]): EncodedMessage {
  const head = Buffer.from(stringifyJson(json));
  if (parts.length === 0) return { body: head, headerLength: null };
  return { body: Buffer.concat([head, ...parts]), headerLength: head.length };
}
