import type { Socket } from "node:net";
import type { Scratch } from "../scratch.js";
import { linesOf } from "./fields.js";
import type { ResponseHead } from "./response-head.js";
import { type ResponseEvents, ResponseParser } from "./response-parser.js";
import type { Writer, Writing } from "./turn.js";

/** A whole body up to this size is copied behind its head, to go out in one piece. */
const joinedBytesMax = 64 * 1024;

/** A request as it goes to a primary. */
export interface UpstreamRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Names and values in turn, without those of a hop; Content-Length among them, unless the body is chunked. */
  readonly headers: readonly string[];
  /** For the header of that name; absent: the origin's. */
  readonly host?: string;
  /** Whole; or, `stream` and `chunked`, as it is written to the call. */
  readonly body: Uint8Array | "none" | "stream" | "chunked";
}

/**
 * Told what becomes of a request: `onInterim`s, `onHead`, `onBody`s, `onEnd`; or `onError` at any point, and nothing
 * after it.
 */
export interface UpstreamHandler {
  /** The request goes out now; a streamed body may be written, of parts that stay as they are until it is over. */
  onSent(): void;
  /** Its status is below 200, and not 101. */
  onInterim(head: ResponseHead): void;
  /** @param more whether bytes of the body, or its end, follow at once */
  onHead(head: ResponseHead, more: boolean): void;
  /**
   * @param part valid only during the call
   * @returns false: no more until `resume`
   */
  onBody(part: Buffer): boolean;
  onEnd(rawTrailers: string[]): void;
  onError(error: Error): void;
  /** After a `write` that returned false. */
  onDrain(): void;
}

/** The primary took too long: to be reached, to answer, or in the middle of its answer. */
export class UpstreamTimeout extends Error {}

export interface ConnectionLimits {
  headBytesMax: number;
  /** From the request's end to the answer's head. */
  headersMs: number;
  /** Silence within an answer. */
  bodyMs: number;
  connectMs: number;
}

/** The pool of a connection: what all of them share, and what it is told. */
export interface ConnectionOwner {
  readonly turn: Writing;
  readonly scratch: Scratch;
  onIdle(connection: UpstreamConnection): void;
  /** It cannot be used any more. `unreachable`: why it did not come about, unless it was given up. */
  onGone(connection: UpstreamConnection, unreachable: Error | null): void;
}

/** Whose request a connection takes: told when the connection is gone and not a byte of the request was sent. */
export interface Sender {
  onUnsent(): void;
}

/** One connection to a primary: one request at a time, and nothing is ever sent twice. */
export class UpstreamConnection implements ResponseEvents, Writer {
  readonly #socket: Socket;
  readonly #parser: ResponseParser;
  readonly #limits: ConnectionLimits;
  readonly #owner: ConnectionOwner;
  readonly #host: string;
  #state: "connecting" | "idle" | "busy" | "gone" = "connecting";
  #request: UpstreamRequest | null = null;
  #handler: UpstreamHandler | null = null;
  #sender: Sender | null = null;
  #uploaded = true;
  #paused = false;
  #connected = false;
  #keepAlive = true;
  /** Whether anything has happened since the pool last looked. */
  #stirred = true;
  #quietSinceMs = performance.now();
  #phase: "connect" | "headers" | "body" = "connect";
  /** As the primary says, when it says it. */
  keepAliveMs: number | null = null;

  /**
   * @param socket one that is being connected; its owner passes its bytes to `receive`
   * @param host for the header of that name
   */
  constructor(socket: Socket, host: string, limits: ConnectionLimits, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#host = host;
    this.#limits = limits;
    this.#owner = owner;
    this.#parser = new ResponseParser(this, limits.headBytesMax);
    socket.on("error", (error) => this.#fail(error));
    socket.on("end", () => this.#onPrimaryEnd());
    socket.on("close", () => this.#fail(new Error("it closed the connection")));
    socket.on("drain", () => this.#handler?.onDrain());
  }

  get idleSinceMs(): number {
    return this.#quietSinceMs;
  }

  /** To be called once, when the socket is connected, TLS and all. */
  connected(): void {
    this.#connected = true;
    this.#state = "idle";
    if (this.#handler === null) this.#rest();
    else this.flush();
  }

  /** Sends a request, as soon as the connection is there. Only for one that has none. */
  take(request: UpstreamRequest, handler: UpstreamHandler, sender: Sender): void {
    this.#request = request;
    this.#handler = handler;
    this.#sender = sender;
    if (this.#state === "idle") this.#owner.turn.add(this);
  }

  /** The turn's end: sends the request, unless it was given up. */
  flush(): void {
    if (this.#state === "idle" && this.#handler !== null) this.#send();
  }

  /** Part of a streamed body. False: the next one should wait for `onDrain`. */
  write(handler: UpstreamHandler, part: Buffer): boolean {
    // Answered already: what still comes is of no use to anybody.
    if (handler !== this.#handler || part.length === 0) return true;
    this.#stirred = true;
    const socket = this.#socket;
    if (this.#request!.body !== "chunked") return socket.write(part);
    socket.cork();
    socket.write(`${part.length.toString(16)}\r\n`, "latin1");
    socket.write(part);
    const more = socket.write("\r\n", "latin1");
    socket.uncork();
    return more;
  }

  /** The streamed body is complete. */
  endUpload(handler: UpstreamHandler, rawTrailers: readonly string[]): void {
    if (handler !== this.#handler) return;
    this.#uploaded = true;
    if (this.#request!.body !== "chunked") return;
    this.#socket.write(`0\r\n${linesOf(rawTrailers)}\r\n`, "latin1");
  }

  resume(handler: UpstreamHandler): void {
    if (handler !== this.#handler || !this.#paused) return;
    this.#paused = false;
    this.#stirred = true;
    this.#socket.resume();
  }

  /** Gives up the request, and the connection with it. */
  abort(handler: UpstreamHandler): void {
    if (handler !== this.#handler) return;
    this.#handler = null;
    this.destroy();
  }

  destroy(): void {
    this.#end(null);
  }

  /** @returns false: no more bytes until the reader is resumed */
  receive(bytes: Buffer): boolean {
    this.#stirred = true;
    try {
      this.#parser.push(bytes);
    } catch (error) {
      this.#fail(error as Error);
    }
    return !this.#paused;
  }

  /** Looks whether it has been quiet for too long; to be called now and then. */
  check(nowMs: number): void {
    // A client that is slow to send, or to take its answer, has limits of its own.
    const isClientsTurn = !this.#uploaded && !this.#socket.writableNeedDrain;
    if (this.#stirred || this.#paused || isClientsTurn) {
      this.#stirred = false;
      this.#quietSinceMs = nowMs;
      return;
    }
    if (this.#handler === null) return;
    const { connectMs, headersMs, bodyMs } = this.#limits;
    const [limitMs, what] = {
      connect: [connectMs, "it cannot be reached"],
      headers: [headersMs, "no answer came"],
      body: [bodyMs, "its answer stopped coming"],
    }[this.#phase] as [number, string];
    if (nowMs - this.#quietSinceMs >= limitMs)
      this.#fail(new UpstreamTimeout(`${what} within ${limitMs} ms`));
  }

  onInterim(head: ResponseHead): void {
    this.#handler?.onInterim(head);
  }

  onHead(head: ResponseHead, more: boolean): void {
    this.#phase = "body";
    this.#keepAlive = head.keepAlive;
    this.keepAliveMs = head.keepAliveMs;
    this.#handler?.onHead(head, more);
  }

  onBody(part: Buffer): void {
    if (this.#handler === null || this.#handler.onBody(part) || this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  onEnd(rawTrailers: string[], surplus: boolean): void {
    const handler = this.#handler;
    this.#handler = null;
    // What it was sent is the handler's memory: answered before it took all of it, it takes none any more.
    const isTaken = this.#uploaded && this.#socket.writableLength === 0;
    // Before the handler is told: the client's next request may want this connection.
    if (this.#keepAlive && !surplus && isTaken && this.#state === "busy") this.#rest();
    else this.destroy();
    handler?.onEnd(rawTrailers);
  }

  #end(unreachable: Error | null): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#socket.destroy();
    this.#owner.onGone(this, unreachable);
  }

  #rest(): void {
    this.#state = "idle";
    this.#request = null;
    // From now, not from when the pool looks next: the primary counts from here too.
    this.#stirred = false;
    this.#quietSinceMs = performance.now();
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
    this.#owner.onIdle(this);
  }

  #send(): void {
    const { method, target, headers, body, host = this.#host } = this.#request!;
    this.#state = "busy";
    this.#phase = "headers";
    this.#stirred = true;
    this.#parser.expect(method);
    const head = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n${linesOf(headers)}`;
    this.#uploaded = body !== "stream" && body !== "chunked";
    if (typeof body === "string") {
      this.#socket.cork();
      this.#socket.write(
        `${head}${body === "chunked" ? "transfer-encoding: chunked\r\n\r\n" : "\r\n"}`,
        "latin1",
      );
      this.#handler!.onSent();
      this.#socket.uncork();
      return;
    }
    this.#handler!.onSent();
    if (body.length > joinedBytesMax) {
      this.#socket.cork();
      this.#socket.write(`${head}\r\n`, "latin1");
      this.#socket.write(body);
      this.#socket.uncork();
      return;
    }
    // One piece: one write, and one packet less.
    const length = head.length + 2 + body.length;
    const bytes = this.#owner.scratch.take(length).subarray(0, length);
    bytes.write(head, 0, "latin1");
    bytes.write("\r\n", head.length, "latin1");
    bytes.set(body, head.length + 2);
    this.#socket.write(bytes);
    if (this.#socket.writableLength > 0) this.#owner.scratch.leave();
  }

  #onPrimaryEnd(): void {
    if (this.#handler === null) this.destroy();
    else if (this.#state === "idle" || !this.#parser.finish())
      this.#fail(new Error("it closed the connection before its answer was complete"));
  }

  #fail(error: Error): void {
    const handler = this.#handler;
    this.#handler = null;
    if (this.#state === "idle" && handler !== null) {
      // It was to be sent at the end of this turn; the primary cannot know of it.
      this.#sender!.onUnsent();
      this.destroy();
      return;
    }
    this.#end(this.#connected ? null : error);
    handler?.onError(error);
  }
}
