import type { Call } from "./call.js";
import { described, excerptOf, ProtocolError } from "./error.js";
import { eventsOf } from "./event-stream.js";
import { isRecord, stringField } from "./fields.js";
import { decodeInferRequest, decodeInferResponse, type InferRequest, type InferResponse } from "./infer.js";
import { type JsonReader, parseJson } from "./json.js";
import { fieldOutputs } from "./json-outputs.js";

/** What names the answer and is no part of it. */
const naming: ReadonlySet<string> = new Set(["model_name", "model_version", "id", "sequence_id"]);

/**
 * Reads the answer to an inference, free of content coding, as outputs that can be compared.
 *
 * - `infer`: V2's, as {@link decodeInferResponse}.
 * - `generate`, `predict`: a JSON object; its fields are the outputs, as {@link fieldOutputs} has them.
 * - `generate_stream`: server-sent events. The pieces of a text are joined, for where a text was cut says nothing of
 *   it; of any other field all events' values together are the output. Events that are no JSON objects are the
 *   output `data`.
 *
 * @throws ProtocolError when it is not that
 */
export function decodeAnswer(
  call: Call,
  body: Uint8Array,
  headerLength: number | null,
  parse: JsonReader = parseJson,
): InferResponse {
  switch (call) {
    case "infer":
      return decodeInferResponse(body, headerLength, parse);
    case "generate":
    case "predict":
      return answerOf(objectOf(body, "the response", parse));
    case "generate_stream":
      return answerOf(joined(eventsOf(body), parse));
  }
}

/**
 * Reads the body of an inference request. What `generate` and `predict` take are JSON objects without tensors of
 * their own form: of those only the parameters are told.
 *
 * @throws ProtocolError when it is not that
 */
export function decodeCall(
  call: Call,
  body: Uint8Array,
  headerLength: number | null,
  parse: JsonReader = parseJson,
): InferRequest {
  if (call === "infer") return decodeInferRequest(body, headerLength, parse);
  const { parameters, sequence_id, ...fields } = objectOf(body, "the request", parse);
  const given = isRecord(parameters) ? parameters : {};
  return {
    parameters: sequence_id === undefined ? given : { sequence_id, ...given },
    inputs: fieldOutputs(fields),
    outputs: [],
  };
}

function objectOf(body: Uint8Array, what: string, parse: JsonReader): Record<string, unknown> {
  const json = parse(body);
  if (isRecord(json)) return json;
  throw new ProtocolError(`${what} must be a JSON object, found ${described(json)}`, excerptOf(body));
}

function answerOf(fields: Record<string, unknown>): InferResponse {
  const outputs = Object.entries(fields).filter(([name]) => !naming.has(name));
  return {
    modelName: textOf(fields, "model_name"),
    modelVersion: textOf(fields, "model_version"),
    parameters: {},
    outputs: fieldOutputs(Object.fromEntries(outputs)),
  };
}

/** The version may come as a number here. */
function textOf(fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  return typeof value === "number" ? String(value) : (stringField(fields, name, "the response") ?? "");
}

/** One object of all events: naming fields as in the last, texts joined, other fields' values in order. */
function joined(events: readonly string[], parse: JsonReader): Record<string, unknown> {
  const lists = new Map<string, unknown[]>();
  const add = (name: string, value: unknown) => {
    const list = lists.get(name);
    if (list) list.push(value);
    else lists.set(name, [value]);
  };
  for (const event of events) {
    const json = jsonOf(event, parse);
    if (isRecord(json)) for (const [name, value] of Object.entries(json)) add(name, value);
    else add("data", event);
  }
  const fields = [...lists].map(([name, values]) => {
    if (naming.has(name)) return [name, values.at(-1)];
    const isText = values.every((value) => typeof value === "string");
    return [name, isText ? values.join("") : values];
  });
  return Object.fromEntries(fields);
}

function jsonOf(event: string, parse: JsonReader): unknown {
  try {
    return parse(event);
  } catch {
    return undefined;
  }
}
