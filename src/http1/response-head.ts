import { controls, MalformedMessage, readFields } from "./fields.js";
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

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
const answer = "its answer";

/**
 * Reads a head.
 * @param text latin1, without the empty line at its end
 * @param bodiless the request was one whose answer has no body: HEAD
 * @throws MalformedMessage
 */
export function parseResponseHead(text: string, bodiless: boolean): ResponseHead {
  const lineEnd = text.indexOf("\r\n");
  const first = statusLine.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
  if (first === null) throw new MalformedMessage("its answer does not begin with an HTTP/1.1 status line");
  const statusText = first[3] ?? "";
  if (controls.test(statusText)) throw new MalformedMessage("its status line holds a control character");
  const status = Number(first[2]);
  const { raw, contentLength, transferEncoding, close, keepAliveMs } = readFields(text, lineEnd, answer);
  let body: BodyFraming = contentLength === null ? "close" : "length";
  if (transferEncoding !== null) {
    // Other codings than this one need not be understood by a proxy, nor undone.
    if (transferEncoding !== "chunked" || first[1] === "0")
      throw new MalformedMessage("its answer has a Transfer-Encoding other than chunked");
    body = "chunked";
  }
  let keepAlive = first[1] === "1" && !close;
  if (bodiless || status < 200 || status === 204 || status === 304) body = "none";
  else if (body === "close") keepAlive = false;
  return { status, statusText, passed: passResponseHeaders(raw), body, keepAlive, keepAliveMs };
}
