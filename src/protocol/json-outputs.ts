import type { Datatype } from "../tensor/tensor.js";
import { ProtocolError } from "./error.js";
import { isRecord } from "./fields.js";
import { stringifyJson } from "./json.js";
import type { InferTensor } from "./tensor-codec.js";
import { bytesOfJson } from "./tensor-json.js";

/** Beyond this depth JSON is compared as text. */
const depthMax = 32;
const outputsMax = 1_024;

/**
 * The fields of a JSON answer as tensors, so that rules, tolerances and decisions apply to them as to any output:
 *
 * - numbers, alone or in arrays that form a tensor: FP64 of that shape;
 * - strings and booleans likewise: BYTES, BOOL;
 * - an object, or an array of objects that have the same fields: an output for each field, `predictions.scores`;
 * - all else: one BYTES element, the value's JSON with its keys in order.
 *
 * Where that would be more than 1,024 outputs, or two of one name, each field is text.
 *
 * @throws ProtocolError when the object itself has more fields than that
 */
export function fieldOutputs(object: Readonly<Record<string, unknown>>): InferTensor[] {
  const fields = Object.entries(object);
  if (fields.length > outputsMax) {
    throw new ProtocolError(`a JSON object of ${fields.length} fields, at most ${outputsMax} are read`);
  }
  const outputs = fields.flatMap(([name, value]) => jsonOutputs(name, value));
  const names = new Set(outputs.map(({ name }) => name));
  const sound = outputs.length <= outputsMax && names.size === outputs.length;
  return sound ? outputs : fields.map(([name, value]) => textOf(name, value));
}

function jsonOutputs(name: string, value: unknown, depth = 0): InferTensor[] {
  const leaf = leafOf(value);
  if (leaf !== null) return [tensor(name, leaf.datatype, leaf.shape, leaf.elements)];
  const columns = depth < depthMax ? columnsOf(value) : null;
  if (columns !== null) {
    return columns.flatMap(([field, column]) => jsonOutputs(`${name}.${field}`, column, depth + 1));
  }
  return [textOf(name, value)];
}

function textOf(name: string, value: unknown): InferTensor {
  return tensor(name, "BYTES", [1], [stringifyJson(sorted(value))]);
}

function tensor(name: string, datatype: Datatype, shape: number[], elements: unknown[]): InferTensor {
  const data = bytesOfJson(name, datatype, [elements.length], elements.length, elements);
  return { name, datatype, shape, parameters: {}, data };
}

interface Leaf {
  datatype: Datatype;
  shape: number[];
  elements: unknown[];
}

/** null: not all of one datatype, or no regular shape. */
function leafOf(value: unknown): Leaf | null {
  const shape: number[] = [];
  let first = value;
  while (Array.isArray(first)) {
    if (shape.length === depthMax) return null;
    shape.push(first.length);
    first = first[0];
  }
  // Of an empty array nobody knows what it would hold.
  const datatype = first === undefined ? "FP64" : datatypeOf(first);
  if (datatype === null) return null;
  const elements: unknown[] = [];
  return collect(value, shape, 0, datatype, elements) ? { datatype, shape, elements } : null;
}

function collect(
  value: unknown,
  shape: readonly number[],
  axis: number,
  datatype: Datatype,
  into: unknown[],
): boolean {
  if (axis === shape.length) {
    into.push(value);
    return datatypeOf(value) === datatype;
  }
  if (!Array.isArray(value) || value.length !== shape[axis]) return false;
  return value.every((item) => collect(item, shape, axis + 1, datatype, into));
}

/** An integer beyond 2^53 has none: as FP64 it would be another number. */
function datatypeOf(value: unknown): Datatype | null {
  switch (typeof value) {
    case "number":
      return "FP64";
    case "string":
      return "BYTES";
    case "boolean":
      return "BOOL";
    default:
      return null;
  }
}

/** What each field holds: of an object its value, of an array of like objects the array of their values. */
function columnsOf(value: unknown): [string, unknown][] | null {
  if (isRecord(value)) {
    const entries = Object.entries(value);
    return entries.length > 0 ? entries : null;
  }
  if (!Array.isArray(value) || !value.every(isRecord)) return null;
  const keys = Object.keys(value[0] ?? {});
  const alike = value.every((item) => {
    const own = Object.keys(item);
    return own.length === keys.length && own.every((key) => Object.hasOwn(value[0]!, key));
  });
  if (keys.length === 0 || !alike) return null;
  return keys.map((key) => [key, value.map((item) => item[key])]);
}

/** The order of keys says nothing, so it must make no difference. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
}
