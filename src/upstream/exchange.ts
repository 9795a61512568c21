import { messageOf, UnderstudyError } from "../errors.js";
import { MalformedMessage } from "../http1/fields.js";
import type { UpstreamCall } from "../http1/pool.js";
import type { ResponseHead } from "../http1/response-head.js";
import { type UpstreamHandler, UpstreamTimeout } from "../http1/upstream-connection.js";
import type { Aborts } from "./aborts.js";
import { excerpt } from "./excerpt.js";
import type { FailureKind } from "./observation.js";
import type { Origins } from "./origins.js";

/** One HTTP request, ready to go. */
export interface ExchangeRequest {
  origin: string;
  path: string;
  method: "GET" | "POST";
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | null;
}

export interface ExchangeLimits {
  /** Over everything: connecting, sending, waiting, receiving. */
  timeoutMs: number;
  responseBytesMax: number;
  /** Ends the exchange from our side: the promise rejects with its reason. */
  signal?: AbortSignal | undefined;
}

/** What one try came to. Latencies are monotonic: from the first byte sent to the last byte received. */
export type Exchange =
  | { ok: true; status: number; headers: Readonly<Record<string, string>>; body: Buffer; latencyMs: number }
  | {
      ok: false;
      failure: FailureKind;
      status?: number;
      message: string;
      latencyMs: number;
      /** Nothing was sent, or the server asked for it: another try can do no harm. */
      retriable: boolean;
      /** How long the server asks to be left alone, by its Retry-After. */
      retryAfterMs?: number;
      /** The error behind it, where it was one. */
      cause?: unknown;
    };

/** What is read of an answer that is not used: its beginning, for the message. */
const errorBytesMax = 4_096;

/** What exchanges go over. */
export interface ExchangeDeps {
  origins: Pick<Origins, "dispatch">;
  aborts: Aborts;
}

/**
 * Sends one request once. Total: whatever the other side does is a value; it rejects only when the signal is aborted.
 */
export function exchange(
  deps: ExchangeDeps,
  request: ExchangeRequest,
  limits: ExchangeLimits,
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    if (limits.signal?.aborted) return reject(limits.signal.reason);
    new OneExchange(deps, limits, resolve, reject).start(request);
  });
}

type Failed = Extract<Exchange, { ok: false }>;

/** A class, since its methods are shared and one is made for every request. */
class OneExchange implements UpstreamHandler {
  readonly #deps: ExchangeDeps;
  readonly #limits: ExchangeLimits;
  readonly #resolve: (exchange: Exchange) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = () => {
    if (this.#settle()) this.#reject(this.#limits.signal!.reason);
  };
  #call: UpstreamCall | null = null;
  #settled = false;
  #startedMs = performance.now();
  #head: ResponseHead | null = null;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(
    deps: ExchangeDeps,
    limits: ExchangeLimits,
    resolve: (exchange: Exchange) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#deps = deps;
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal, timeoutMs } = limits;
    this.#timer = setTimeout(
      () => this.#fail("timeout", `no complete answer within ${Math.round(timeoutMs)} ms`),
      timeoutMs,
    );
    if (signal !== undefined) deps.aborts.on(signal, this.#onAbort);
  }

  start({ origin, path, method, headers, body }: ExchangeRequest): void {
    const written = writeHeaders(headers, body);
    if (written.refused !== null) {
      this.#fail("network", written.refused);
      return;
    }
    const request = {
      method,
      target: path,
      headers: written.headers,
      ...(written.host === null ? {} : { host: written.host }),
      body: body === null ? ("none" as const) : body,
    };
    const call = this.#deps.origins.dispatch(origin, request, this);
    if (!this.#settled) this.#call = call;
  }

  onSent(): void {
    this.#startedMs = performance.now();
  }

  /** What comes before the answer says nothing that could be compared. */
  onInterim(): void {}

  onHead(head: ResponseHead): void {
    this.#head = head;
    const { responseBytesMax } = this.#limits;
    const bytes = head.passed.contentLength!;
    if (head.status > 299 || head.body !== "length" || bytes <= responseBytesMax) return;
    this.#fail("too_large", `an answer of ${bytes} bytes, above the ${responseBytesMax} allowed`);
  }

  onBody(part: Buffer): boolean {
    if (this.#settled) return true;
    const isGood = this.#head!.status <= 299;
    const max = isGood ? this.#limits.responseBytesMax : errorBytesMax;
    if (this.#bytes + part.length > max && isGood) {
      this.#fail("too_large", `an answer above the ${max} bytes allowed`);
      return true;
    }
    // The memory that it lies in is read into again.
    const kept = Buffer.from(part.subarray(0, max - this.#bytes));
    this.#parts.push(kept);
    this.#bytes += kept.length;
    if (kept.length < part.length) this.#finish();
    return true;
  }

  onEnd(): void {
    // Read to its end: there is nothing to give up, and the connection is kept.
    this.#call = null;
    this.#finish();
  }

  onError(error: Error): void {
    this.#call = null;
    const { failure, retriable } = meaningOfError(error);
    this.#fail(failure, messageOfNetwork(error), retriable, error);
  }

  /** Requests go out whole. */
  onDrain(): void {}

  #finish(): void {
    const { status, passed } = this.#head!;
    const body = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#bytes);
    if (status <= 299) {
      const latencyMs = performance.now() - this.#startedMs;
      if (!this.#settle()) return;
      this.#resolve({ ok: true, status, headers: contentHeaders(passed.recorded), body, latencyMs });
      return;
    }
    const said = body.toString("utf8");
    const { failure, retriable } = meaningOf(status);
    const message = `status ${status}${said === "" ? "" : `: ${said}`}`;
    const asked = failure === "throttled" ? retryAfter(firstOf(passed.headers, "retry-after")) : undefined;
    this.#fail(failure, message, retriable, undefined, asked);
  }

  #fail(
    failure: FailureKind,
    message: string,
    retriable = false,
    cause?: unknown,
    retryAfterMs?: number,
  ): void {
    const failed: Failed = {
      ok: false,
      failure,
      ...(this.#head === null ? {} : { status: this.#head.status }),
      message: excerpt(message),
      latencyMs: performance.now() - this.#startedMs,
      retriable,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      cause,
    };
    if (this.#settle()) this.#resolve(failed);
  }

  /** @returns false: it was settled before */
  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    const { signal } = this.#limits;
    if (signal !== undefined) this.#deps.aborts.off(signal, this.#onAbort);
    this.#call?.abort();
    this.#call = null;
    return true;
  }
}

/** The headers that say how to read a body, under lower-case names. */
export const contentHeaderNames = [
  "content-type",
  "content-encoding",
  "inference-header-content-length",
] as const;

/** By the pairs they are made of: a connection's answers mostly have one head, parsed once. */
const contentHeadersOf = new WeakMap<readonly string[], Readonly<Record<string, string>>>();

/** Of a response's headers those, by name; a header that came twice has both values. */
function contentHeaders(recorded: readonly string[]): Readonly<Record<string, string>> {
  const known = contentHeadersOf.get(recorded);
  if (known !== undefined) return known;
  const kept: Record<string, string> = {};
  for (let index = 0; index + 1 < recorded.length; index += 2) {
    const name = recorded[index]!;
    const value = recorded[index + 1]!;
    kept[name] = kept[name] === undefined ? value : `${kept[name]}, ${value}`;
  }
  contentHeadersOf.set(recorded, kept);
  return kept;
}

/** The first of that name. */
function firstOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name);
  return at < 0 ? undefined : headers[at + 1];
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What RFC 9110 allows in a value, one byte a character. */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
/** How a message is framed, and what becomes of the connection, is the client's to say. */
const own: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The headers as they go out; or why they cannot, since they could be read as something else. */
function writeHeaders(
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | null,
): { headers: string[]; host: string | null; refused: string | null } {
  const written: string[] = [];
  let host: string | null = null;
  for (const name of Object.keys(headers)) {
    const value = headers[name]!;
    if (!token.test(name) || own.has(name)) {
      return { headers: written, host, refused: `the header ${name} cannot be sent` };
    }
    if (!fieldValue.test(value)) {
      return { headers: written, host, refused: `the header ${name} holds what no header can hold` };
    }
    if (name === "host") host = value;
    else written.push(name, value);
  }
  if (body !== null) written.push("content-length", String(body.length));
  return { headers: written, host, refused: null };
}

/** Seconds, or a date (RFC 9110, 10.2.3); undefined for anything else. */
function retryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}

function meaningOf(status: number): { failure: FailureKind; retriable: boolean } {
  if (status === 429 || status === 503) return { failure: "throttled", retriable: true };
  if (status >= 500) return { failure: "http_5xx", retriable: false };
  if (status >= 400) return { failure: "http_4xx", retriable: false };
  // A redirect: not followed, since it could lead anywhere.
  return { failure: "protocol_error", retriable: false };
}

function meaningOfError(error: Error): { failure: FailureKind; retriable: boolean } {
  if (error instanceof MalformedMessage) return { failure: "protocol_error", retriable: false };
  if (error instanceof UpstreamTimeout) return { failure: "timeout", retriable: false };
  return { failure: "network", retriable: codeOf(error) === "ECONNREFUSED" };
}

function codeOf(error: unknown): string {
  // A name with several addresses fails with an AggregateError of one error each.
  const first = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  return first !== null && typeof first === "object" && "code" in first ? String(first.code) : "";
}

function messageOfNetwork(error: Error): string {
  if (error instanceof UnderstudyError) return error.message;
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  return error.message;
}
