import { type PassedHeaders, passResponseHeaders } from "./headers.js";

/** The head of a primary's answer, and how its body is framed. */
export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  /** What of its headers goes on to the client; one character for each byte. */
  readonly passed: PassedHeaders;
  readonly body: BodyFraming;
  /** Whether another request may follow on the connection. */
  readonly keepAlive: boolean;
  /** For how many milliseconds an idle connection is kept, as the primary says; null: it does not. */
  readonly keepAliveMs: number | null;
}

export type BodyFraming = "none" | "length" | "chunked" | "close";

/** The primary does not speak HTTP/1.1 as RFC 9112 has it. What cannot be framed beyond doubt is not passed on. */
export class MalformedResponse extends Error {}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
const tokenName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** All that RFC 9110 forbids in a value, CR and LF among it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
export const controls = /[\0-\x08\x0a-\x1f\x7f]/;
const contentLengthForm = /^\d{1,15}$/;

/**
 * Reads a head.
 * @param text latin1, without the empty line at its end
 * @param bodiless the request was one whose answer has no body: HEAD
 * @throws MalformedResponse
 */
export function parseResponseHead(text: string, bodiless: boolean): ResponseHead {
  let lineEnd = text.indexOf("\r\n");
  const first = statusLine.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
  if (first === null) throw new MalformedResponse("its answer does not begin with an HTTP/1.1 status line");
  const statusText = first[3] ?? "";
  if (controls.test(statusText)) throw new MalformedResponse("its status line holds a control character");
  const status = Number(first[2]);
  const rawHeaders: string[] = [];
  let contentLength: number | null = null;
  let transferEncoding: string | null = null;
  let keepAlive = first[1] === "1";
  let keepAliveMs: number | null = null;

  while (lineEnd >= 0) {
    const at = lineEnd + 2;
    lineEnd = text.indexOf("\r\n", at);
    const [name, value] = readField(lineEnd < 0 ? text.slice(at) : text.slice(at, lineEnd));
    rawHeaders.push(name, value);
    // Only these lengths can matter here, and comparing them is cheaper than lower-casing every name.
    if (name.length === 10) {
      const lower = name.toLowerCase();
      if (lower === "connection" && /(?:^|[,\s])close(?:$|[,\s])/i.test(value)) keepAlive = false;
      else if (lower === "keep-alive") keepAliveMs = readKeepAlive(value) ?? keepAliveMs;
    } else if (name.length === 14 && name.toLowerCase() === "content-length") {
      if (contentLength !== null) throw new MalformedResponse("its answer has two Content-Lengths");
      if (!contentLengthForm.test(value))
        throw new MalformedResponse("its answer's Content-Length is no number");
      contentLength = Number(value);
    } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
      if (transferEncoding !== null) throw new MalformedResponse("its answer has two Transfer-Encodings");
      transferEncoding = value.toLowerCase();
    }
  }

  let body: BodyFraming = contentLength === null ? "close" : "length";
  if (transferEncoding !== null) {
    // Both: a smuggler's means. Other codings than this one need not be understood by a proxy, nor undone.
    if (contentLength !== null)
      throw new MalformedResponse("its answer has Content-Length and Transfer-Encoding");
    if (transferEncoding !== "chunked" || first[1] === "0") {
      throw new MalformedResponse("its answer has a Transfer-Encoding other than chunked");
    }
    body = "chunked";
  }
  if (bodiless || status < 200 || status === 204 || status === 304) body = "none";
  else if (body === "close") keepAlive = false;
  const passed = passResponseHeaders(rawHeaders);
  return { status, statusText, passed, body, keepAlive, keepAliveMs };
}

/**
 * Reads `Name: value`.
 * @throws MalformedResponse
 */
export function readField(line: string): [name: string, value: string] {
  const colonAt = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colonAt));
  // A line that goes on where another ended begins with a blank, which is in no name.
  if (!tokenName.test(name)) throw new MalformedResponse("a header of its answer has no proper name");
  let from = colonAt + 1;
  let to = line.length;
  while (from < to && isBlank(line.charCodeAt(from))) from += 1;
  while (to > from && isBlank(line.charCodeAt(to - 1))) to -= 1;
  const value = line.slice(from, to);
  if (controls.test(value)) throw new MalformedResponse("a header of its answer holds a control character");
  return [name, value];
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function readKeepAlive(value: string): number | null {
  const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(value)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}
