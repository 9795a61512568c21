import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { type Dispatcher, errors } from "undici";
import { messageOf } from "../errors.js";
import { type PassedHeaders, passRequestHeaders, passResponseHeaders } from "./headers.js";
import { countDuration } from "./histogram.js";
import { wholeBodyBytesMax } from "./limits.js";
import type { Primary } from "./primaries.js";
import { answerError } from "./replies.js";
import type { Sighting } from "./sighting.js";
import type { RouteStats } from "./stats.js";

/**
 * One request on its way to the primary and its answer on the way back, byte for byte, with backpressure both ways.
 * Nothing is tried twice. A client that goes away takes the primary's request with it.
 *
 * undici's older handler interface is used on purpose: it alone hands over raw headers without parsing them. A class,
 * since its methods are shared and one is made for every request.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #sighting: Sighting | null;
  readonly #stats: RouteStats;
  readonly #receivedMs = performance.now();
  #abort: ((error?: Error) => void) | null = null;
  #sentMs = 0;
  #primaryMs = 0;
  #primary: "pending" | "answering" | "answered" | "failed" = "pending";
  #upload: Readable | null = null;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    stats: RouteStats,
    sighting: Sighting | null,
  ) {
    this.#request = request;
    this.#response = response;
    this.#stats = stats;
    this.#sighting = sighting;
  }

  /** @param target path and query for the primary, without its prefix */
  start(primary: Primary, target: string): void {
    const request = this.#request;
    this.#response.once("close", () => this.#onClose());
    const passed = passRequestHeaders(request.rawHeaders);
    this.#sighting?.request(passed.recorded, passed.contentLength);
    const { contentLength } = passed;
    if (contentLength !== null && contentLength > 0 && contentLength <= wholeBodyBytesMax) {
      this.#receiveWhole(contentLength, (body) => this.#dispatch(primary, target, passed, body));
    } else if ((contentLength ?? 0) > 0 || request.headers["transfer-encoding"] !== undefined) {
      this.#upload = this.#receiveAsItComes();
      this.#dispatch(primary, target, passed, this.#upload);
    } else {
      this.#dispatch(primary, target, passed, null);
    }
  }

  #receiveWhole(contentLength: number, then: (body: Buffer) => void): void {
    const chunks: Buffer[] = [];
    this.#request.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      this.#stats.passed[0]! += chunk.length;
      this.#sighting?.requestChunk(chunk);
    });
    this.#request.once("end", () =>
      then(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, contentLength)),
    );
  }

  /** The request is not given to undici itself: it would cut the client off when the primary answers early. */
  #receiveAsItComes(): Readable {
    const request = this.#request;
    const upload = new Readable({
      read: () => void request.resume(),
      destroy: (error, done) => {
        // The answer is there before the upload is: what still comes is read and thrown away.
        request.resume();
        done(error);
      },
    });
    request.on("data", (chunk: Buffer) => {
      this.#stats.passed[0]! += chunk.length;
      this.#sighting?.requestChunk(chunk);
      if (!upload.destroyed && !upload.push(chunk)) request.pause();
    });
    request.once("end", () => {
      if (!upload.destroyed) upload.push(null);
    });
    upload.on("error", () => {});
    return upload;
  }

  #dispatch(primary: Primary, target: string, { headers }: PassedHeaders, body: Buffer | Readable | null) {
    if (this.#response.destroyed) return;
    const method = this.#request.method as Dispatcher.HttpMethod;
    primary.pool.dispatch({ method, path: primary.prefix + target, headers, body }, this);
  }

  onConnect(abort: (error?: Error) => void): void {
    if (this.#response.destroyed) {
      abort();
      return;
    }
    this.#abort = abort;
    this.#sentMs = performance.now();
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    // An interim answer; the final one follows.
    if (status < 200) return true;
    const { headers, recorded, contentLength } = passResponseHeaders(rawHeaders);
    this.#primary = "answering";
    this.#sighting?.response(status, recorded, contentLength);
    const response = this.#response;
    // No header of ours: the answer is the primary's.
    response.sendDate = false;
    response.writeHead(status, statusText, headers);
    // Else the head would wait for the first event, which may take long.
    if (contentLength === null && isEventStream(recorded)) response.flushHeaders();
    response.on("drain", resume);
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.#stats.passed[1]! += chunk.length;
    this.#sighting?.responseChunk(chunk);
    return this.#response.write(chunk);
  }

  onComplete(rawTrailers: string[] | null): void {
    this.#primaryMs = performance.now() - this.#sentMs;
    this.#primary = "answered";
    if (rawTrailers !== null && rawTrailers.length > 0) this.#response.addTrailers(pairs(rawTrailers));
    this.#response.end();
  }

  onError(error: Error): void {
    const response = this.#response;
    if (response.destroyed) return;
    this.#primary = "failed";
    this.#upload?.destroy();
    if (response.headersSent) {
      // Cut off, as the primary cut us off: a tidy end would pass half an answer off as a whole one.
      response.destroy();
      return;
    }
    const timedOut =
      error instanceof errors.HeadersTimeoutError || error instanceof errors.ConnectTimeoutError;
    answerError(response, timedOut ? 504 : 502, `the primary did not answer: ${messageOf(error)}`);
  }

  /** All is over: the answer has gone out, or the client is gone. */
  #onClose(): void {
    const response = this.#response;
    const stats = this.#stats;
    const delivered = response.writableFinished;
    const codeClass = delivered ? Math.floor(response.statusCode / 100) : 0;
    stats.codes[codeClass] = (stats.codes[codeClass] ?? 0) + 1;
    countDuration(stats.gateway, performance.now() - this.#receivedMs);
    if (this.#primary === "answered") countDuration(stats.primary, this.#primaryMs);

    if (this.#primary === "failed") {
      this.#sighting?.drop("primary_failed");
    } else if (delivered && this.#primary === "answered") {
      this.#sighting?.handOver(this.#primaryMs);
    } else {
      this.#sighting?.drop("client_abort");
      this.#abort?.(new Error("the client went away"));
      this.#upload?.destroy();
    }
  }
}

function isEventStream(recorded: readonly string[]): boolean {
  return recorded.some((text) => text.startsWith("text/event-stream"));
}

function pairs(flat: readonly (string | Buffer)[]): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    list.push([flat[index]!.toString("latin1"), flat[index + 1]!.toString("latin1")]);
  }
  return list;
}
