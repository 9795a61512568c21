import { described, ProtocolError } from "./error.js";

/** A JSON object, as {@link parseJson} makes it. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A field that is a string or absent. Null is absent: KServe writes its empty fields so. `where` names the owner. */
export function stringField(
  object: Readonly<Record<string, unknown>>,
  key: string,
  where: string,
): string | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw new ProtocolError(`${where}: "${key}" must be a string, found ${described(value)}`);
}

/** The `parameters` of a request, response or tensor; `{}` when it has none. */
export function parametersOf(
  object: Readonly<Record<string, unknown>>,
  where: string,
): Record<string, unknown> {
  const { parameters } = object;
  if (parameters === undefined || parameters === null) return {};
  if (isRecord(parameters)) return parameters;
  throw new ProtocolError(`${where}: "parameters" must be an object, found ${described(parameters)}`);
}
