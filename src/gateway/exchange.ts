import type { LentMemory } from "../http1/body-memory.js";
import { passRequestTrailers, passResponseTrailers, withoutLength } from "../http1/headers.js";
import { UpstreamBusy, type UpstreamCall } from "../http1/pool.js";
import type { RequestHead } from "../http1/request-head.js";
import type { ResponseHead } from "../http1/response-head.js";
import type { RequestHandler, ServerConnection } from "../http1/server-connection.js";
import { type UpstreamHandler, type UpstreamRequest, UpstreamTimeout } from "../http1/upstream-connection.js";
import { countDuration } from "./histogram.js";
import { continueMs, earlyBytesMax, wholeBodyBytesMax } from "./limits.js";
import type { Primary } from "./primaries.js";
import { answerError } from "./replies.js";
import type { Sighting } from "./sighting.js";
import { countRequest, type RouteStats } from "./stats.js";

/** What an exchange is made of. */
export interface ExchangeParts {
  readonly head: RequestHead;
  /** Path and query for the primary, without its prefix. */
  readonly target: string;
  readonly client: ServerConnection;
  readonly replica: Primary;
  readonly stats: RouteStats;
  readonly sighting: Sighting | null;
  readonly state: { inFlight: number };
}

/**
 * One request on its way to the primary and its answer on the way back, byte for byte, with backpressure both ways.
 * Nothing is tried twice. A client that goes away takes the primary's request with it.
 *
 * A class, since its methods are shared and one is made for every request.
 */
export class Exchange implements RequestHandler, UpstreamHandler {
  readonly #parts: ExchangeParts;
  readonly #receivedMs = performance.now();
  #call: UpstreamCall | null = null;
  /** How its body goes to the primary; `whole`: once all of it has come. */
  #upload: "none" | "whole" | "stream" | "chunked" = "none";
  #sent = false;
  #sentMs = 0;
  #primaryMs = 0;
  /** `failed`: before it answered; `broken`: in the midst of its answer. */
  #primary: "pending" | "answering" | "answered" | "failed" | "broken" = "pending";
  #status = 0;
  /** What came of the body before it could go on. */
  #early: Buffer[] = [];
  #receivedBytes = 0;
  #trailers: readonly string[] | null = null;
  #patience: NodeJS.Timeout | undefined;
  #answered = false;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  bodyMemory(bytes: number): LentMemory | null {
    return bytes <= wholeBodyBytesMax ? null : (this.#parts.sighting?.bodyMemory(bytes) ?? null);
  }

  start(): void {
    const { head, replica, sighting, state } = this.#parts;
    const { recorded, contentLength } = head.passed;
    state.inFlight += 1;
    replica.inFlight += 1;
    sighting?.request(recorded, contentLength);
    if (head.body === "length" && contentLength! <= wholeBodyBytesMax && !head.expectsContinue) {
      this.#upload = "whole";
      return;
    }
    this.#upload = head.body === "length" ? "stream" : head.body;
    this.#dispatch(this.#upload);
  }

  // What the client does.

  onRequestPart(part: Buffer): boolean {
    const { head, stats, sighting } = this.#parts;
    stats.passed[0]! += part.length;
    sighting?.requestChunk(part);
    this.#receivedBytes += part.length;
    if (this.#sent) return this.#call!.write(part);
    this.#early.push(part);
    if (this.#upload !== "whole") return this.#receivedBytes < earlyBytesMax;
    const bytes = head.passed.contentLength!;
    if (this.#receivedBytes < bytes) return true;
    const [first] = this.#early as [Buffer];
    this.#dispatch(first.length === bytes ? first : Buffer.from(first.buffer, first.byteOffset, bytes));
    return true;
  }

  onRequestEnd(rawTrailers: string[]): void {
    this.#trailers = passRequestTrailers(rawTrailers);
    if (this.#sent) this.#call!.end(this.#trailers);
  }

  onClientDrain(): void {
    this.#call!.resume();
  }

  #dispatch(body: UpstreamRequest["body"]): void {
    const { head, target, replica } = this.#parts;
    const { headers } = head.passed;
    this.#call = replica.pool.dispatch(
      { method: head.method, target: replica.prefix + target, headers, body },
      this,
    );
  }

  // What the primary does.

  onSent(): void {
    this.#sentMs = performance.now();
    if (this.#upload === "none" || this.#upload === "whole") return;
    this.#sent = true;
    const { client, head } = this.#parts;
    let room = true;
    for (const part of this.#early) room = this.#call!.write(part);
    this.#early = [];
    if (this.#trailers !== null) this.#call!.end(this.#trailers);
    if (room) client.resume();
    else client.pause();
    if (head.expectsContinue) this.#patience = setTimeout(() => client.writeContinue(), continueMs);
  }

  onInterim({ status, statusText, passed }: ResponseHead): void {
    const { client } = this.#parts;
    if (status === 100) client.writeContinue();
    else client.writeInterim(status, statusText, withoutLength(passed.headers));
  }

  onDrain(): void {
    this.#parts.client.resume();
  }

  onHead({ status, statusText, passed, body }: ResponseHead, more: boolean): void {
    const { client, sighting } = this.#parts;
    const { headers, recorded, contentLength } = passed;
    this.#primary = "answering";
    this.#status = status;
    clearTimeout(this.#patience);
    sighting?.response(status, recorded, contentLength);
    const framing = body === "none" || body === "length" ? body : "unknown";
    // No header of ours: the answer is the primary's. An event stream may have nothing to say for long; its client is
    // told that it has begun.
    client.begin({ status, statusText, headers, body: framing, contentLength }, more);
  }

  onBody(part: Buffer): boolean {
    const { client, stats, sighting } = this.#parts;
    // The memory that it lies in is read into again.
    const kept = Buffer.from(part);
    stats.passed[1]! += kept.length;
    sighting?.responseChunk(kept);
    return client.write(kept);
  }

  onEnd(rawTrailers: string[]): void {
    const { client } = this.#parts;
    this.#primaryMs = performance.now() - this.#sentMs;
    this.#primary = "answered";
    client.end(passResponseTrailers(rawTrailers));
    this.#discardUpload();
  }

  onError(error: Error): void {
    const { client, stats } = this.#parts;
    clearTimeout(this.#patience);
    if (client.hasBegun) {
      this.#primary = "broken";
      // Cut off, as the primary cut us off: a tidy end would pass half an answer off as a whole one.
      client.destroy();
      return;
    }
    this.#primary = "failed";
    this.#status = statusOf(error);
    if (this.#status === 503) stats.busy += 1;
    answerError(client, this.#status, `the primary did not answer: ${reasonOf(error)}`);
    this.#discardUpload();
  }

  /** What is left of it is read and thrown away: the client may only then read the answer. */
  #discardUpload(): void {
    this.#sent = true;
    this.#early = [];
    if (this.#upload === "stream" || this.#upload === "chunked") this.#parts.client.resume();
  }

  // What becomes of it.

  onAnswered(): void {
    this.#answered = true;
    this.#count(this.#status);
    if (this.#primary === "answered") countDuration(this.#parts.stats.primary, this.#primaryMs);
  }

  onOver(isComplete: boolean): void {
    const { sighting, state } = this.#parts;
    state.inFlight -= 1;
    clearTimeout(this.#patience);
    if (!this.#answered) this.#count(this.#primary === "broken" ? "broken" : "aborted");
    if (this.#primary === "broken" || this.#primary === "failed") {
      sighting?.drop("primary_failed");
    } else if (!this.#answered) {
      sighting?.drop("client_abort");
      this.#call?.abort();
    } else if (isComplete) {
      sighting?.handOver(this.#primaryMs);
    } else {
      // Answered before its end, what is there of it could pass for a whole one.
      sighting?.drop("early_answer");
    }
  }

  #count(ending: number | "aborted" | "broken"): void {
    const { replica, stats } = this.#parts;
    replica.inFlight -= 1;
    countRequest(stats, ending, performance.now() - this.#receivedMs);
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
