import { ProtocolError } from "../protocol/error.js";
import { eventsOf } from "../protocol/event-stream.js";
import { isRecord } from "../protocol/fields.js";
import { parseJson, stringifyJson } from "../protocol/json.js";
import { decodeTensors, encodeTensors, isInSharedMemory, type TensorRole } from "../protocol/tensor-codec.js";
import { type JsonPlace, type JsonStep, placesOf } from "./json-path.js";
import type { KeyedHash } from "./keyed-hash.js";
import type { RedactionAction } from "./settings.js";
import { redactedTensor } from "./tensors.js";
import { redactPlaces } from "./values.js";

/** A rule for bodies, read once. */
export type BodyRule = { action: RedactionAction } & (
  | { kind: "tensor"; name: string }
  | { kind: "parameter"; name: string }
  | { kind: "json"; path: string; steps: readonly JsonStep[] }
);

/** A body free of content coding, and how it is read: as `parseHeaderLength` gave it. */
export interface Body {
  bytes: Uint8Array;
  headerLength: number | null;
}

/** What was found and redacted, as {@link redactedWords} has it: `input:NAME`, `parameter:NAME`, `json:PATH`, … */
export interface RedactedBody extends Body {
  touched: string[];
}

interface Message {
  json: Record<string, unknown>;
  /** What follows the JSON; null: nothing can. */
  binary: Uint8Array | null;
}

/**
 * Redacts a V2 infer request or response in the form that it came in, JSON or binary, tensor by tensor.
 * @throws ProtocolError when it is no such message; Error when a rule cannot be applied to it
 */
export function redactV2(
  { bytes, headerLength }: Body,
  role: TensorRole,
  rules: readonly BodyRule[],
  hash: KeyedHash | null,
): RedactedBody {
  if (headerLength === 0) {
    // It has no parameters, and one input without a name.
    if (rules.every(({ kind }) => kind === "parameter")) return { bytes, headerLength, touched: [] };
    throw new Error("a raw binary request does not name its input, so no rule can find it");
  }
  const jsonLength = headerLength ?? bytes.length;
  const json = parseJson(bytes.subarray(0, jsonLength));
  if (!isRecord(json)) throw new ProtocolError("the body must be a JSON object");
  const message: Message = { json, binary: headerLength === null ? null : bytes.subarray(jsonLength) };
  const touched = rules.flatMap((rule) => applyToV2(message, role, rule, hash));
  // What is kept must be readable: rules on JSON can break what they do not know.
  decodeTensors(role, json[`${role}s`], message.binary);
  return { ...joined(message), touched };
}

/**
 * Redacts a body of plain JSON, as `generate` and `:predict` have it. There an input is a field at the top, of
 * `inputs`, or of each of `instances`; an output one at the top, of `outputs`, or of each of `predictions`.
 *
 * @throws Error when rules for tensors are there, and nothing is found where tensors are: it may hold them unnamed
 */
export function redactJson(
  bytes: Uint8Array,
  role: TensorRole,
  rules: readonly BodyRule[],
  hash: KeyedHash | null,
): RedactedBody {
  const json = parseJson(bytes);
  refuseUnnamed(json, role, rules);
  const { touched, reached } = redactFields(json, role, rules, hash);
  if (!reached) refuseUnfound(role, rules);
  return { bytes: Buffer.from(stringifyJson(json)), headerLength: null, touched };
}

/**
 * Redacts the answer of `generate_stream`: JSON objects, each the data of one event. Texts come in pieces, and what
 * would be cut or hashed there is masked: the first letters of every piece are the text, and short pieces are guessed.
 *
 * @throws ProtocolError when the data of an event is no JSON; Error as {@link redactJson}
 */
export function redactEvents(
  bytes: Uint8Array,
  rules: readonly BodyRule[],
  hash: KeyedHash | null,
): RedactedBody {
  const masking = rules.map((rule) => (rule.action === "drop" ? rule : { ...rule, action: "mask" as const }));
  const touched = new Set<string>();
  let reached = false;
  const events = eventsOf(bytes).map((event) => {
    const json = parseJson(event);
    refuseUnnamed(json, "output", rules);
    const found = redactFields(json, "output", masking, hash);
    for (const word of found.touched) touched.add(word);
    reached ||= found.reached;
    return `data: ${stringifyJson(json)}\n\n`;
  });
  if (events.length > 0 && !reached) refuseUnfound("output", rules);
  return { bytes: Buffer.from(events.join("")), headerLength: null, touched: [...touched] };
}

function redactFields(
  json: unknown,
  role: TensorRole,
  rules: readonly BodyRule[],
  hash: KeyedHash | null,
): { touched: string[]; reached: boolean } {
  let reached = false;
  const touched = rules.flatMap((rule) => {
    const places = placesOfRule(json, role, rule);
    reached ||= rule.kind !== "parameter" && places.some(({ way }) => !isBeside(way));
    redactPlaces(places, rule.action, hash);
    return [...new Set(places.map(({ way }) => wordOf(rule, role, role === "output" ? fieldOf(way) : null)))];
  });
  return { touched, reached };
}

/** Whether a place is none where an unnamed tensor could be. */
function isBeside([first]: JsonPlace["way"]): boolean {
  return first === "id" || first === "parameters" || first === "error";
}

/** The output that a field is compared as: `predictions.label` of each prediction. */
function fieldOf(way: JsonPlace["way"]): string {
  return way.filter((key) => typeof key === "string").join(".");
}

function refuseUnfound(role: TensorRole, rules: readonly BodyRule[]): void {
  if (rules.every(({ kind }) => kind !== "tensor")) return;
  throw new Error(`no ${role} was found by its name in a body of plain JSON; name it by a JSON path`);
}

/**
 * Of instances some may be objects with names and others bare: what is found in those says nothing of these. Each must
 * be reached by a path of its own.
 */
function refuseUnnamed(json: unknown, role: TensorRole, rules: readonly BodyRule[]): void {
  const list = isRecord(json) ? json[listName[role]] : undefined;
  if (!Array.isArray(list) || rules.every(({ kind }) => kind !== "tensor")) return;
  const bare = new Set(list.flatMap((item, index) => (isRecord(item) ? [] : [index])));
  if (bare.size === 0) return;
  for (const rule of rules) {
    if (rule.kind !== "json") continue;
    for (const { way } of placesOf(json, rule.steps)) {
      if (way[0] !== listName[role]) continue;
      if (way.length === 1) return;
      bare.delete(Number(way[1]));
    }
  }
  if (bare.size === 0) return;
  throw new Error(
    `${listName[role]}[${[...bare][0]}] names no ${role}, so no rule can find it; name it by a JSON path`,
  );
}

/** Where V1 has them, one object for each. */
const listName = { input: "instances", output: "predictions" } as const;

function placesOfRule(json: unknown, role: TensorRole, rule: BodyRule): JsonPlace[] {
  if (rule.kind === "json") return placesOf(json, rule.steps);
  const { name } = rule;
  const last: JsonStep = { kind: "name", name };
  if (rule.kind === "parameter") {
    // `generate` takes parameters at the top too, and tells them there.
    return [...placesOf(json, [{ kind: "name", name: "parameters" }, last]), ...placesOf(json, [last])];
  }
  return [
    ...placesOf(json, [last]),
    ...placesOf(json, [{ kind: "name", name: `${role}s` }, last]),
    ...placesOf(json, [{ kind: "name", name: listName[role] }, { kind: "every" }, last]),
  ];
}

function applyToV2(message: Message, role: TensorRole, rule: BodyRule, hash: KeyedHash | null): string[] {
  switch (rule.kind) {
    case "tensor":
      return applyToTensor(message, role, rule, hash);
    case "parameter": {
      const places = parameterPlaces(message.json, rule.name);
      redactPlaces(places, rule.action, hash);
      return places.length > 0 ? [wordOf(rule, role, null)] : [];
    }
    case "json": {
      const list = message.json[`${role}s`];
      const places = placesOf(message.json, rule.steps);
      if (message.binary !== null && mayReachTensors(rule.steps, role)) {
        throw new Error(`${rule.path} leads into tensors that are binary; name the ${role} instead`);
      }
      const words = new Set(places.map(({ way }) => wordOf(rule, role, tensorAt(list, role, way))));
      redactPlaces(places, rule.action, hash);
      return [...words];
    }
  }
}

function applyToTensor(
  message: Message,
  role: TensorRole,
  { name, action }: BodyRule & { kind: "tensor" },
  hash: KeyedHash | null,
): string[] {
  const { json, binary } = message;
  const tensors = decodeTensors(role, json[`${role}s`], binary);
  const items = json[`${role}s`] as Record<string, unknown>[];
  const found = tensors.findIndex((tensor) => tensor.name === name);
  if (found < 0) return [];
  const isBinary = items.map((item) => sizeOf(item) !== undefined);
  if (action === "drop") {
    tensors.splice(found, 1);
    items.splice(found, 1);
    isBinary.splice(found, 1);
  } else if (!isInSharedMemory(tensors[found]!.parameters)) {
    const tensor = tensors[found]!;
    const changed = { ...tensor, data: redactedTensor(tensor, action, hash) };
    tensors[found] = changed;
    const [encoded] = encodeTensors([changed], () => isBinary[found]!).json as Record<string, unknown>[];
    // What JSON cannot carry comes out as binary, which needs a message that has room for it.
    isBinary[found] = sizeOf(encoded!) !== undefined;
    items[found] = { ...items[found], parameters: undefined, data: undefined, ...encoded };
  }
  if (isBinary.includes(true) || binary !== null) {
    message.binary = Buffer.concat(tensors.flatMap(({ data }, index) => (isBinary[index] ? [data] : [])));
  }
  return [`${role}:${name}`];
}

function sizeOf(item: Record<string, unknown>): unknown {
  return (isRecord(item.parameters) ? item.parameters.binary_data_size : undefined) ?? undefined;
}

/** Of the message, of its tensors, and of the outputs that it asks for. */
function parameterPlaces(json: Record<string, unknown>, name: string): JsonPlace[] {
  const parameters: JsonStep[] = [
    { kind: "name", name: "parameters" },
    { kind: "name", name },
  ];
  return [
    ...placesOf(json, parameters),
    ...["inputs", "outputs"].flatMap((list) =>
      placesOf(json, [{ kind: "name", name: list }, { kind: "every" }, ...parameters]),
    ),
  ];
}

/** Whether a path leads to elements of tensors, were they there: binary ones have no `data` that it could be tried on. */
function mayReachTensors([first]: readonly JsonStep[], role: TensorRole): boolean {
  switch (first?.kind) {
    case "every":
      return true;
    case "name":
      return first.name === `${role}s`;
    case "descend":
      return first.name === `${role}s` || first.name === "data";
    default:
      return false;
  }
}

/** The name of the tensor that a place lies in. */
function tensorAt(list: unknown, role: TensorRole, way: JsonPlace["way"]): string | null {
  if (way[0] !== `${role}s` || !Array.isArray(list)) return null;
  const item: unknown = list[Number(way[1])];
  return isRecord(item) && typeof item.name === "string" ? item.name : null;
}

function wordOf(rule: BodyRule, role: TensorRole, tensor: string | null): string {
  const own =
    rule.kind === "json" ? `json:${rule.path}` : `${rule.kind === "tensor" ? role : rule.kind}:${rule.name}`;
  if (tensor !== null) return `${role}:${tensor}`;
  return role === "output" && rule.kind !== "tensor" ? `response-${own}` : own;
}

function joined({ json, binary }: Message): Body {
  const head = Buffer.from(stringifyJson(json));
  if (binary === null) return { bytes: head, headerLength: null };
  return { bytes: Buffer.concat([head, binary]), headerLength: head.length };
}
