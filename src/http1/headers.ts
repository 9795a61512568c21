/** What is to be done with a header: `hop` ends at this hop, `kept` is passed on and recorded. */
type Role = "hop" | "kept";

const hopByHop: [string, Role][] = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
].map((name) => [name, "hop"]);

/** What a capture may hold: an allow list, so that no credential is ever written. */
const recorded = (...names: string[]): [string, Role][] => names.map((name) => [name, "kept"]);

const requestRoles: ReadonlyMap<string, Role> = new Map([
  ...hopByHop,
  // The name of the primary's host is its own.
  ["host", "hop"],
  ...recorded(
    "accept",
    "content-encoding",
    "content-type",
    "inference-header-content-length",
    "traceparent",
    "x-request-id",
  ),
]);

/** Names of the request headers that are recorded of every deployment. */
export const recordedRequestHeaders: ReadonlySet<string> = new Set(
  [...requestRoles].flatMap(([name, role]) => (role === "kept" ? [name] : [])),
);

const responseRoles: ReadonlyMap<string, Role> = new Map([
  ...hopByHop,
  ...recorded("content-encoding", "content-type", "inference-header-content-length"),
]);

/** Names and values in turn, in the sender's order and case. */
export interface PassedHeaders {
  /** To be passed on. */
  readonly headers: string[];
  /** Those of them that may be recorded. */
  readonly recorded: readonly string[];
  /** From Content-Length; null when there is none. */
  readonly contentLength: number | null;
}

export function passRequestHeaders(raw: readonly string[]): PassedHeaders {
  return pass(raw, requestRoles);
}

export function passResponseHeaders(raw: readonly string[]): PassedHeaders {
  return pass(raw, responseRoles);
}

/** Trailers of a request to be passed on: none that could change how the message is framed. */
export function passRequestTrailers(raw: readonly string[]): readonly string[] {
  return passTrailers(raw, requestRoles);
}

/** The same of an answer. */
export function passResponseTrailers(raw: readonly string[]): readonly string[] {
  return passTrailers(raw, responseRoles);
}

function passTrailers(raw: readonly string[], roles: ReadonlyMap<string, Role>): readonly string[] {
  return raw.length === 0 ? raw : withoutLength(pass(raw, roles).headers);
}

/** What goes on of headers with which no body comes. */
export function withoutLength(headers: readonly string[]): readonly string[] {
  return without(headers, new Set(["content-length"]));
}

function pass(raw: readonly string[], roles: ReadonlyMap<string, Role>): PassedHeaders {
  const headers: string[] = [];
  const recorded: string[] = [];
  let contentLength: number | null = null;
  let named: Set<string> | null = null;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!;
    const value = raw[index + 1]!;
    const lower = name.toLowerCase();
    const role = roles.get(lower);
    if (role === "hop") {
      if (lower === "connection") named = namedIn(value, named);
      continue;
    }
    if (lower === "content-length") contentLength = Number(value);
    if (role === "kept") recorded.push(lower, value);
    headers.push(name, value);
  }
  // Rare: headers that `Connection` names end at this hop as well, wherever they stand.
  if (named === null) return { headers, recorded, contentLength };
  return { headers: without(headers, named), recorded: without(recorded, named), contentLength };
}

const connectionOptions = new Set(["close", "keep-alive", "te", "upgrade"]);

function namedIn(value: string, named: Set<string> | null): Set<string> | null {
  for (const token of value.split(",")) {
    const name = token.trim().toLowerCase();
    // Framing is not a client's to take away.
    if (name === "" || connectionOptions.has(name) || name === "content-length") continue;
    named ??= new Set();
    named.add(name);
  }
  return named;
}

function without(pairs: readonly string[], names: ReadonlySet<string>): string[] {
  return pairs.filter((_, index) => !names.has(pairs[index - (index % 2)]!.toLowerCase()));
}
