import { controls, MalformedMessage, readFields } from "./fields.js";
import { type PassedHeaders, passRequestHeaders } from "./headers.js";

/** The head of a client's request, and how its body is framed. */
export interface RequestHead {
  readonly method: string;
  /** As the client wrote it. */
  readonly target: string;
  /** Names and values in turn, in the client's order and case; one character for each byte. */
  readonly rawHeaders: readonly string[];
  /** What of them goes on to the primary. */
  readonly passed: PassedHeaders;
  readonly body: "none" | "length" | "chunked";
  /** Whether the client speaks HTTP/1.0: it knows neither chunks nor interim answers. */
  readonly isOld: boolean;
  /** Whether another request may follow on the connection. */
  readonly keepAlive: boolean;
  /** Whether the client holds its body back until it is told to go on. */
  readonly expectsContinue: boolean;
}

/** A head that is understood well enough to say what its server does not do. */
export class UnsupportedRequest extends MalformedMessage {}

const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) HTTP\/1\.([01])$/;
const request = "the request";

/**
 * Reads a head.
 * @param text latin1, without the empty line at its end
 * @throws MalformedMessage, UnsupportedRequest
 */
export function parseRequestHead(text: string): RequestHead {
  const lineEnd = text.indexOf("\r\n");
  const line = lineEnd < 0 ? text : text.slice(0, lineEnd);
  const first = requestLine.exec(line);
  if (first === null || controls.test(line))
    throw new MalformedMessage("the request does not begin with an HTTP/1.1 request line");
  // Passed on, it would make a tunnel of a connection that others use.
  if (first[1] === "CONNECT") throw new UnsupportedRequest("the method CONNECT is not supported");
  const isOld = first[3] === "0";
  const fields = readFields(text, lineEnd, request);
  const { raw, contentLength, transferEncoding } = fields;
  if (fields.hosts > 1 || (fields.hosts === 0 && !isOld))
    throw new MalformedMessage(`the request has ${fields.hosts === 0 ? "no Host" : "more than one Host"}`);
  if (transferEncoding !== null && transferEncoding !== "chunked") {
    // A coding is undone by whoever receives it, or nobody can read the body: its label ends at this hop.
    const hint = "only 'chunked' is; use Content-Encoding for compression";
    throw new UnsupportedRequest(`the Transfer-Encoding '${transferEncoding}' is not supported; ${hint}`);
  }
  if (transferEncoding !== null && isOld)
    throw new MalformedMessage("the request has a Transfer-Encoding, which HTTP/1.0 does not know");
  const framing = contentLength === null || contentLength === 0 ? "none" : "length";
  return {
    method: first[1]!,
    target: first[2]!,
    rawHeaders: raw,
    passed: passRequestHeaders(raw),
    body: transferEncoding === null ? framing : "chunked",
    isOld,
    keepAlive: isOld ? fields.keepAlive && !fields.close : !fields.close,
    expectsContinue: !isOld && fields.expectsContinue,
  };
}
