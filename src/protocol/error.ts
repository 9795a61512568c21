/**
 * What a client or a server sent is not the Open Inference Protocol. The message says what was wrong, in which
 * tensor, what was expected and what was found. Message and excerpt are printable ASCII, so they are safe in logs,
 * database and page.
 */
export class ProtocolError extends Error {
  /** The offending bytes or text, at most 80 characters; empty where there is nothing to show. */
  readonly excerpt: string;

  constructor(message: string, excerpt = "") {
    super(message);
    this.name = "ProtocolError";
    this.excerpt = excerpt;
  }
}

const excerptMax = 80;
const unprintable = /[^\x20-\x7e]/;

/** The beginning of foreign text as printable ASCII, at most 80 characters. */
export function excerptOf(source: string | Uint8Array): string {
  const text =
    typeof source === "string" ? source : Buffer.from(source.subarray(0, excerptMax)).toString("latin1");
  if (text.length <= excerptMax && !unprintable.test(text)) return text;
  const escaped = text
    .slice(0, excerptMax)
    .replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return escaped.slice(0, excerptMax);
}

/** A foreign name in quotes, made short and printable, for messages. */
export function quoted(name: string): string {
  const shown = excerptOf(name);
  return shown.length < excerptMax ? `"${shown}"` : `"${shown.slice(0, 60)}..."`;
}

/** A foreign JSON value in a few words, for the "found …" of messages. */
export function described(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "string") return quoted(value);
  if (typeof value === "object") return "an object";
  if (typeof value === "bigint" && value.toString().length > 40) return "a very large integer";
  return Object.is(value, -0) ? "-0" : String(value);
}

/** A shape as messages show it; long ones are cut. */
export function shaped(shape: readonly number[]): string {
  return excerptOf(`[${shape}]`);
}
