import type { IncomingMessage, ServerResponse } from "node:http";
import { type UpstreamHandler, type UpstreamRequest, UpstreamTimeout } from "../http1/connection.js";
import {
  type PassedHeaders,
  passRequestHeaders,
  passRequestTrailers,
  passResponseTrailers,
  withoutLength,
} from "../http1/headers.js";
import { UpstreamBusy, type UpstreamCall } from "../http1/pool.js";
import type { ResponseHead } from "../http1/response-head.js";
import type { Turn } from "../http1/turn.js";
import { lastIfClosing } from "./drain.js";
import { countDuration } from "./histogram.js";
import { continueMs, wholeBodyBytesMax } from "./limits.js";
import type { Primary } from "./primaries.js";
import { answerError } from "./replies.js";
import type { Sighting } from "./sighting.js";
import { countRequest, type RouteStats } from "./stats.js";
import { whenOver } from "./when-over.js";

/** An answer up to this size goes out as text together with its head, which Node writes in one piece. */
const textBytesMax = 16 * 1024;

/** What all exchanges of one server share. */
export interface Serving {
  readonly state: { readonly closing: boolean };
  readonly turn: Turn;
  /** How long a client may take nothing of its answer. */
  readonly clientSilenceMs: number;
}

/**
 * One request on its way to the primary and its answer on the way back, byte for byte, with backpressure both ways.
 * Nothing is tried twice. A client that goes away takes the primary's request with it.
 *
 * A class, since its methods are shared and one is made for every request.
 */
export class Exchange implements UpstreamHandler {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #replica: Primary;
  readonly #sighting: Sighting | null;
  readonly #stats: RouteStats;
  readonly #serving: Serving;
  readonly #receivedMs = performance.now();
  #call: UpstreamCall | null = null;
  #streams = false;
  #sentMs = 0;
  #primaryMs = 0;
  /** `failed`: before it answered; `broken`: in the midst of its answer. */
  #primary: "pending" | "answering" | "answered" | "failed" | "broken" = "pending";
  /** Of the answer's body; null: not known beforehand. */
  #answerBytes: number | null = null;
  #only: Buffer | null = null;
  /** Whether the client holds its body back until it is told to go on, or has its answer. */
  #held = false;
  #patience: NodeJS.Timeout | undefined;
  /** Whether the client has yet to take what it was sent. */
  #full = false;
  #watched = false;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    replica: Primary,
    stats: RouteStats,
    sighting: Sighting | null,
    serving: Serving,
  ) {
    this.#request = request;
    this.#response = response;
    this.#replica = replica;
    this.#stats = stats;
    this.#sighting = sighting;
    this.#serving = serving;
  }

  /**
   * @param target path and query for the primary, without its prefix
   * @param isHeld whether the client said `Expect: 100-continue`
   */
  start(target: string, isHeld: boolean): void {
    const request = this.#request;
    this.#replica.inFlight += 1;
    this.#response.once("close", () => this.#onClose());
    const passed = passRequestHeaders(request.rawHeaders);
    this.#sighting?.request(passed.recorded, passed.contentLength);
    const { contentLength } = passed;
    this.#held = isHeld;
    const codings = contentLength === null ? request.headers["transfer-encoding"] : undefined;
    if (contentLength !== null && contentLength > 0) {
      if (contentLength <= wholeBodyBytesMax && !isHeld) this.#receiveWhole(target, passed, contentLength);
      else this.#dispatch(target, passed, "stream");
    } else if (codings !== undefined) {
      if (/^\s*chunked\s*$/i.test(codings)) this.#dispatch(target, passed, "chunked");
      else this.#refuseCodings(codings);
    } else {
      this.#dispatch(target, passed, "none");
    }
  }

  /** A transfer coding is undone by whoever receives it, or nobody can read the body: its label ends at this hop. */
  #refuseCodings(codings: string): void {
    this.#sighting?.drop("early_answer");
    const hint = "only 'chunked' is; use Content-Encoding for compression";
    answerError(this.#response, 501, `the Transfer-Encoding '${codings}' is not supported; ${hint}`);
  }

  #receiveWhole(target: string, passed: PassedHeaders, contentLength: number): void {
    let whole: Buffer | null = null;
    let received = 0;
    this.#request.on("data", (chunk: Buffer) => {
      this.#stats.passed[0]! += chunk.length;
      this.#sighting?.requestChunk(chunk);
      if (chunk.length === contentLength) {
        whole = chunk;
      } else {
        whole ??= Buffer.allocUnsafe(contentLength);
        whole.set(chunk, received);
      }
      received += chunk.length;
      if (received === contentLength) this.#dispatch(target, passed, whole);
    });
  }

  #dispatch(target: string, { headers }: PassedHeaders, body: UpstreamRequest["body"]): void {
    if (this.#response.destroyed) return;
    this.#streams = body === "stream" || body === "chunked";
    const method = this.#request.method!;
    const { pool, prefix } = this.#replica;
    this.#call = pool.dispatch({ method, target: prefix + target, headers, body }, this);
  }

  onSent(): void {
    this.#sentMs = performance.now();
    if (!this.#streams) return;
    const request = this.#request;
    request.on("data", (chunk: Buffer) => {
      this.#stats.passed[0]! += chunk.length;
      this.#sighting?.requestChunk(chunk);
      if (!this.#call!.write(chunk)) request.pause();
    });
    request.once("end", () => this.#call!.end(passRequestTrailers(request.rawTrailers)));
    if (this.#held) this.#patience = setTimeout(() => this.#release(true), continueMs);
  }

  /** @param wanted whether the client is to send its body; otherwise it has its answer without. */
  #release(wanted: boolean): void {
    if (!this.#held) return;
    this.#held = false;
    clearTimeout(this.#patience);
    if (wanted) this.#response.writeContinue();
  }

  onInterim({ status, statusText, passed }: ResponseHead): void {
    if (status === 100) {
      this.#release(true);
      return;
    }
    // HTTP/1.0 knows of one answer to a request.
    if (this.#request.httpVersionMinor === 0) return;
    const headers = withoutLength(passed.headers);
    let text = `HTTP/1.1 ${status} ${statusText}\r\n`;
    for (let index = 0; index + 1 < headers.length; index += 2)
      text += `${headers[index]}: ${headers[index + 1]}\r\n`;
    // Nothing of the answer has gone out yet, and all of those before it has.
    this.#response.socket?.write(`${text}\r\n`, "latin1");
  }

  onDrain(): void {
    if (this.#streams) this.#request.resume();
  }

  onHead({ status, statusText, passed, body }: ResponseHead, more: boolean): void {
    const { headers, recorded, contentLength } = passed;
    this.#primary = "answering";
    this.#release(false);
    this.#sighting?.response(status, recorded, contentLength);
    const response = this.#response;
    lastIfClosing(response, this.#serving.state);
    // No header of ours: the answer is the primary's.
    response.sendDate = false;
    response.writeHead(status, statusText, headers);
    if (body === "length") this.#answerBytes = contentLength;
    // An event stream may have nothing to say for long; its client is told that it has begun.
    if (!more) response.flushHeaders();
  }

  onBody(part: Buffer): boolean {
    // The memory that it lies in is read into again.
    const kept = Buffer.from(part);
    this.#stats.passed[1]! += kept.length;
    this.#sighting?.responseChunk(kept);
    if (kept.length === this.#answerBytes && kept.length <= textBytesMax) {
      this.#only = kept;
      return true;
    }
    const response = this.#response;
    if (response.write(kept)) return true;
    // One read may hold thousands of parts: they wait for the same drain.
    if (!this.#full) response.once("drain", () => this.#onRoom());
    this.#full = true;
    this.#watchClient();
    return false;
  }

  /** From the first answer that does not go out at once: whoever takes nothing of it is cut off. */
  #watchClient(): void {
    if (this.#watched) return;
    this.#watched = true;
    const response = this.#response;
    // Node starts the time again at whatever the connection takes or brings.
    response.setTimeout(this.#serving.clientSilenceMs, () => {
      if (response.socket !== null && response.socket.writableLength > 0) response.destroy();
    });
  }

  #onRoom(): void {
    this.#full = false;
    this.#call!.resume();
  }

  onEnd(rawTrailers: string[]): void {
    this.#primaryMs = performance.now() - this.#sentMs;
    this.#primary = "answered";
    const response = this.#response;
    // What is left of an upload is read and thrown away: the client may only then read the answer.
    if (this.#streams) this.#request.resume();
    if (rawTrailers.length > 0) response.addTrailers(pairs(passResponseTrailers(rawTrailers)));
    if (this.#only === null) this.#end();
    else this.#serving.turn.add(this);
  }

  /** The turn's end: sends an answer that came whole, in one write. */
  flush(): void {
    const response = this.#response;
    if (response.destroyed) return;
    // Corked, Node puts head and body together; ended only then, it has nothing more to write.
    response.cork();
    response.write(this.#only!.toString("latin1"), "latin1");
    response.uncork();
    this.#end();
  }

  #end(): void {
    this.#response.end();
    const { socket } = this.#response;
    if (socket !== null && socket.writableLength > 0) this.#watchClient();
  }

  onError(error: Error): void {
    const response = this.#response;
    if (response.destroyed) return;
    this.#release(false);
    this.#request.resume();
    if (response.headersSent) {
      this.#primary = "broken";
      // Cut off, as the primary cut us off: a tidy end would pass half an answer off as a whole one.
      response.destroy();
      return;
    }
    this.#primary = "failed";
    const status = statusOf(error);
    if (status === 503) this.#stats.busy += 1;
    lastIfClosing(response, this.#serving.state);
    answerError(response, status, `the primary did not answer: ${reasonOf(error)}`);
  }

  /** All is over: the answer has gone out, or the client is gone. */
  #onClose(): void {
    this.#replica.inFlight -= 1;
    this.#release(false);
    const response = this.#response;
    const stats = this.#stats;
    const isBroken = this.#primary === "broken";
    countRequest(stats, response, isBroken, performance.now() - this.#receivedMs);
    if (this.#primary === "answered") countDuration(stats.primary, this.#primaryMs);

    if (isBroken || this.#primary === "failed") {
      this.#sighting?.drop("primary_failed");
    } else if (response.writableFinished && this.#primary === "answered") {
      const sighting = this.#sighting;
      if (sighting === null) return;
      const request = this.#request;
      // Answered before its end, what is there of it could pass for a whole one.
      whenOver(request, () => {
        if (request.complete) sighting.handOver(this.#primaryMs);
        else sighting.drop("early_answer");
      });
    } else {
      this.#sighting?.drop("client_abort");
      this.#call?.abort();
    }
  }
}

function statusOf(error: Error): 502 | 503 | 504 {
  if (error instanceof UpstreamBusy) return 503;
  return error instanceof UpstreamTimeout ? 504 : 502;
}

/** For a client. Errors with a code are the system's or TLS', whose words name addresses and certificates. */
function reasonOf(error: Error & { code?: unknown }): string {
  return error.code === undefined ? error.message : `the connection failed (${error.code})`;
}

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) list.push([flat[index]!, flat[index + 1]!]);
  return list;
}
