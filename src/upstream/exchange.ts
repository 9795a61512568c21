import { type Agent, type Dispatcher, errors } from "undici";
import { messageOf, UnderstudyError } from "../errors.js";
import { excerpt } from "./excerpt.js";
import type { FailureKind } from "./observation.js";

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
  | { ok: true; status: number; headers: Record<string, string>; body: Buffer; latencyMs: number }
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

/**
 * Sends one request once. Total: whatever the other side does is a value; it rejects only when the signal is aborted.
 */
export function exchange(agent: Agent, request: ExchangeRequest, limits: ExchangeLimits): Promise<Exchange> {
  const { signal } = limits;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let controller: Dispatcher.DispatchController | null = null;
    let startedMs = performance.now();
    let status = 0;
    let headers: Record<string, string> = {};
    let chunks: Buffer[] = [];
    let bytes = 0;
    let retryAfterMs: number | undefined;
    let settled = false;

    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      act();
      chunks = [];
      // After an answer that was read to its end there is nothing to abort, and the connection is kept.
      if (controller && !controller.aborted) controller.abort(new Error("given up"));
    };
    const latencyMs = () => performance.now() - startedMs;
    const fail = (failure: FailureKind, message: string, retriable = false, cause?: unknown) =>
      settle(() =>
        resolve({
          ok: false,
          failure,
          ...(status === 0 ? {} : { status }),
          message: excerpt(message),
          latencyMs: latencyMs(),
          retriable,
          ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
          cause,
        }),
      );
    const onAbort = () => settle(() => reject(signal?.reason));
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(
      () => fail("timeout", `no complete answer within ${Math.round(limits.timeoutMs)} ms`),
      limits.timeoutMs,
    );

    const finish = (): void => {
      if (status >= 200 && status <= 299) {
        const answer = {
          ok: true as const,
          status,
          headers,
          body: Buffer.concat(chunks, bytes),
          latencyMs: latencyMs(),
        };
        controller = null;
        settle(() => resolve(answer));
        return;
      }
      const said = Buffer.concat(chunks, bytes).toString("utf8");
      const { failure, retriable } = meaningOf(status);
      fail(failure, `status ${status}${said === "" ? "" : `: ${said}`}`, retriable);
    };

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: (given) => {
        if (settled) return given.abort(new Error("given up"));
        controller = given;
        startedMs = performance.now();
      },
      onResponseStart: (_, statusCode, head) => {
        if (statusCode < 200) return;
        status = statusCode;
        headers = contentHeaders(head);
        if (status === 429 || status === 503) retryAfterMs = retryAfter(head["retry-after"]);
        const announced = Number(head["content-length"]);
        if (status <= 299 && announced > limits.responseBytesMax) {
          fail("too_large", `an answer of ${announced} bytes, above the ${limits.responseBytesMax} allowed`);
        }
      },
      onResponseData: (_, chunk) => {
        if (settled) return;
        const max = status <= 299 ? limits.responseBytesMax : errorBytesMax;
        if (bytes + chunk.length > max) {
          if (status <= 299) return fail("too_large", `an answer above the ${max} bytes allowed`);
          chunks.push(chunk.subarray(0, max - bytes));
          bytes = max;
          return finish();
        }
        chunks.push(chunk);
        bytes += chunk.length;
      },
      onResponseEnd: () => {
        if (status > 299) controller = null;
        finish();
      },
      onResponseError: (_, error) => {
        const { failure, retriable } = meaningOfError(error);
        fail(failure, messageOfNetwork(error), retriable, error);
      },
    };
    try {
      agent.dispatch({ ...request, body: request.body ?? null }, handler);
    } catch (error) {
      fail("network", messageOf(error), false, error);
    }
  });
}

/** The headers that say how to read a body, under lower-case names. */
export const contentHeaderNames = [
  "content-type",
  "content-encoding",
  "inference-header-content-length",
] as const;

function contentHeaders(head: Record<string, string | string[] | undefined>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of contentHeaderNames) {
    const value = head[name];
    if (value !== undefined) kept[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return kept;
}

/** Seconds, or a date (RFC 9110, 10.2.3); undefined for anything else. */
function retryAfter(value: string | string[] | undefined): number | undefined {
  const text = Array.isArray(value) ? value[0] : value;
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

/** Codes of undici, beside its parser's error, for answers that are not HTTP. */
const protocolCodes = new Set(["UND_ERR_HEADERS_OVERFLOW", "UND_ERR_RES_CONTENT_LENGTH_MISMATCH"]);

function meaningOfError(error: Error): { failure: FailureKind; retriable: boolean } {
  const code = codeOf(error);
  if (error instanceof errors.HTTPParserError || protocolCodes.has(code))
    return { failure: "protocol_error", retriable: false };
  if (code === "UND_ERR_CONNECT_TIMEOUT") return { failure: "timeout", retriable: false };
  return { failure: "network", retriable: code === "ECONNREFUSED" };
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
