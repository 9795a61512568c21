import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Scratch } from "../scratch.js";
import type { BodyMemory, LentMemory } from "./body-memory.js";
import { linesOf, MalformedMessage } from "./fields.js";
import { IncomingBody } from "./incoming-body.js";
import { type RequestHead, UnsupportedRequest } from "./request-head.js";
import { HeadTooLarge, type RequestEvents, RequestParser } from "./request-parser.js";
import type { Writer, Writing } from "./turn.js";

/** A whole answer up to this size is copied behind its head, to go out in one piece. */
const joinedBytesMax = 64 * 1024;
/** What a client may send ahead of its turn before it is read no further. */
const aheadBytesMax = 64 * 1024;
/** How long a client may go on sending after the last answer on its connection. */
const lingerMs = 2_000;

/** Who sees to a request. */
export interface RequestHandler {
  /** Called once, before all others. */
  start(): void;
  /** Where a body of so many bytes is to be read to; null: to memory of the server's. Called before its first part. */
  bodyMemory(bytes: number): LentMemory | null;
  /**
   * @param part stays as it is until the request is over; those of a body of known length, up to
   * `contiguousBytesMax`, lie one behind the other
   * @returns false: no more until `resume`
   */
  onRequestPart(part: Buffer): boolean;
  /** The request is complete. */
  onRequestEnd(rawTrailers: string[]): void;
  /** After a `write` that returned false. */
  onClientDrain(): void;
  /** The answer has gone out whole. */
  onAnswered(): void;
  /**
   * Nothing more comes; called once, last. Without `onAnswered` before it, the client is gone or was cut off.
   * @param isComplete whether all of the request came
   */
  onOver(isComplete: boolean): void;
}

/** The head of an answer. */
export interface AnswerHead {
  readonly status: number;
  readonly statusText: string;
  /** Names and values in turn, without those of a hop. */
  readonly headers: readonly string[];
  /** `unknown`: by chunks, or, for a client that does not know them, by the connection's end. */
  readonly body: "none" | "length" | "unknown";
  /** With `length`: how long. */
  readonly contentLength: number | null;
}

export interface ClientLimits {
  headBytesMax: number;
  /** How long a client may take for its head, and for its whole request, the head included. */
  headMs: number;
  requestMs: number;
  /** How long an idle connection is kept. */
  keepAliveMs: number;
  /** How long a client may take nothing of the answer that it is sent. */
  clientSilenceMs: number;
}

/** The server of a connection: what all of them share, and what it is told. */
export interface ConnectionServer {
  readonly limits: ClientLimits;
  readonly turn: Writing;
  readonly scratch: Scratch;
  readonly memory: BodyMemory;
  /** Whether every answer from now on is the last on its connection. */
  readonly closing: boolean;
  handle(head: RequestHead, connection: ServerConnection): RequestHandler;
  /** A request was refused before anyone saw to it. */
  onRefused(status: number): void;
  onGone(connection: ServerConnection): void;
}

type Phase = "idle" | "head" | "body" | "waiting" | "lingering" | "gone";

/** One client's connection: one request at a time; what it sends ahead waits for its turn. */
export class ServerConnection implements RequestEvents, Writer {
  readonly #server: ConnectionServer;
  readonly #parser: RequestParser;
  #socket!: Socket;
  #handler: RequestHandler | null = null;
  #head: RequestHead | null = null;
  #phase: Phase = "idle";
  #isFirst = true;
  /** When the server first looked at it in this phase; a request's body goes on with its head's time. */
  #sinceMs: number | null = null;

  readonly #body: IncomingBody;
  #requestEnded = false;
  #held = false;
  #ahead: Buffer | null = null;
  #paused = false;

  // The answer.
  #answer: AnswerHead | null = null;
  #headSent = false;
  #only: Buffer | null = null;
  #chunked = false;
  #last = false;
  #answerEnded = false;
  #unwritten = 0;
  #answered = false;
  #watched = false;
  readonly #lend = (bytes: number) => this.#handler!.bodyMemory(bytes);
  readonly #onWritten = (error?: Error | null) => {
    this.#unwritten -= 1;
    if (!error && this.#unwritten === 0 && this.#answerEnded) this.#onAnswered();
  };

  constructor(server: ConnectionServer) {
    this.#server = server;
    this.#parser = new RequestParser(this, server.limits.headBytesMax);
    this.#body = new IncomingBody(server.memory);
  }

  /** To be called once, first. @param socket whose bytes are passed to `receive`, read to `into` */
  attach(socket: Socket): void {
    this.#socket = socket;
    socket.on("error", () => this.destroy());
    socket.on("end", () => this.#onClientEnd());
    socket.on("close", () => this.destroy());
    socket.on("drain", () => this.#handler?.onClientDrain());
    socket.on("timeout", () => {
      // Node starts the time again at whatever the connection takes or brings.
      if (socket.writableLength > 0) this.destroy();
    });
  }

  get isIdle(): boolean {
    return this.#phase === "lingering" || (this.#phase === "idle" && !this.#parser.isInHead);
  }

  /** Where the next read should go; null: to memory that is used again for any other. */
  get into(): Buffer | null {
    return this.#body.into;
  }

  /** @returns false: no more bytes until the socket is resumed */
  receive(bytes: Buffer): boolean {
    if (this.#phase === "gone" || this.#phase === "lingering") return true;
    if (this.#parser.ended) {
      this.#keepAhead(Buffer.concat([this.#ahead ?? none, bytes]));
      return !this.#paused;
    }
    const rest = this.#parse(bytes);
    // A copy: the memory that all connections share is used again.
    if (rest !== null) this.#keepAhead(Buffer.from(rest));
    return !this.#paused;
  }

  /** Looks whether the client has taken too long; to be called now and then. */
  check(nowMs: number): void {
    if (this.#phase === "waiting" || this.#phase === "gone") return;
    if (this.#phase === "idle" && this.#parser.isInHead) this.#enter("head");
    this.#sinceMs ??= nowMs;
    const tookMs = nowMs - this.#sinceMs;
    const { headMs, requestMs, keepAliveMs } = this.#server.limits;
    switch (this.#phase) {
      case "idle":
        if (tookMs >= (this.#isFirst ? headMs : keepAliveMs)) this.destroy();
        break;
      case "head":
        if (tookMs >= headMs) this.#refuse(408, "the request's head did not come in time");
        break;
      case "body":
        if (tookMs < requestMs) break;
        if (this.#answer === null) this.#refuse(408, "the request did not come in time");
        else this.destroy();
        break;
      case "lingering":
        if (tookMs >= lingerMs) this.destroy();
        break;
    }
  }

  // What the parser tells.

  onHead(head: RequestHead): void {
    this.#isFirst = false;
    this.#head = head;
    if (this.#phase === "idle") this.#enter("body");
    else this.#phase = "body";
    this.#held = head.expectsContinue && head.body !== "none";
    this.#handler = this.#server.handle(head, this);
    this.#handler.start();
  }

  onBody(part: Buffer): void {
    if (this.#handler === null) return;
    // Only now: to announce a body costs nothing.
    if (!this.#body.hasBegun && this.#head!.body === "length")
      this.#body.begin(this.#head!.passed.contentLength!, this.#lend);
    if (!this.#handler.onRequestPart(this.#body.keep(part))) this.pause();
  }

  onRequestEnd(rawTrailers: string[]): void {
    if (this.#handler === null) return;
    this.#requestEnded = true;
    this.#body.aim(0);
    this.#held = false;
    this.#phase = "waiting";
    this.#handler.onRequestEnd(rawTrailers);
    if (this.#answered) this.#onOver();
  }

  // What the handler says.

  /** No more parts until `resume`. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  /** After `onRequestPart` returned false. */
  resume(): void {
    if (this.#ahead === null || this.#ahead.length <= aheadBytesMax) this.#resume();
  }

  /** The client may send its body, if it waits for that. */
  writeContinue(): void {
    if (!this.#held || this.#answer !== null) return;
    this.#held = false;
    this.#write("HTTP/1.1 100 Continue\r\n\r\n");
  }

  /** An answer before the answer, for who knows them. */
  writeInterim(status: number, statusText: string, headers: readonly string[]): void {
    if (this.#head!.isOld || this.#answer !== null) return;
    this.#write(`HTTP/1.1 ${status} ${statusText}\r\n${linesOf(headers)}\r\n`);
  }

  get hasBegun(): boolean {
    return this.#answer !== null;
  }

  /**
   * Begins the answer. Its head goes out with the first part, or with the end.
   * @param more whether either follows at once
   */
  begin(head: AnswerHead, more: boolean): void {
    // To HEAD the head is the answer, whatever it says of a body.
    const isBodiless = this.#head!.method === "HEAD";
    this.#answer = isBodiless ? { ...head, body: "none" } : head;
    // A client that was not told to go on may yet send its body, or not: nothing else can follow.
    this.#last = this.#server.closing || !this.#head!.keepAlive || this.#held;
    if (this.#answer.body === "unknown") {
      if (this.#head!.isOld) this.#last = true;
      else this.#chunked = true;
    }
    if (!more) this.#writeHead();
  }

  /** @returns false: the next part should wait for `onClientDrain` */
  write(part: Buffer): boolean {
    const { body, contentLength } = this.#answer!;
    if (body === "none") return true;
    if (!this.#headSent && part.length === contentLength && part.length <= joinedBytesMax) {
      this.#only = part;
      return true;
    }
    const socket = this.#socket;
    socket.cork();
    if (!this.#headSent) this.#writeHead();
    if (this.#chunked) this.#write(`${part.length.toString(16)}\r\n`);
    const more = this.#write(part);
    if (this.#chunked) this.#write("\r\n");
    socket.uncork();
    if (!more) this.#watch();
    return more;
  }

  /** @param trailers names and values in turn; they reach a client that knows chunks */
  end(trailers: readonly string[]): void {
    if (this.#only !== null) {
      this.#server.turn.add(this);
      return;
    }
    this.#answerEnded = true;
    const head = this.#headSent ? "" : this.#takeHead();
    const text = this.#chunked ? `${head}0\r\n${linesOf(trailers)}\r\n` : head;
    if (text !== "") this.#write(text);
    else if (this.#unwritten === 0) this.#onAnswered();
    if (this.#socket.writableLength > 0) this.#watch();
  }

  /** The turn's end: sends an answer that came whole, in one write. */
  flush(): void {
    if (this.#phase === "gone") return;
    const body = this.#only!;
    this.#answerEnded = true;
    const head = this.#takeHead();
    const length = head.length + body.length;
    const { scratch } = this.#server;
    const bytes = scratch.take(length).subarray(0, length);
    bytes.write(head, 0, "latin1");
    bytes.set(body, head.length);
    this.#write(bytes);
    if (this.#socket.writableLength > 0) {
      scratch.leave();
      this.#watch();
    }
  }

  /** Cuts the connection off. */
  destroy(): void {
    if (this.#phase === "gone") return;
    this.#phase = "gone";
    this.#socket.destroy();
    this.#over();
    this.#body.free(false);
    this.#server.onGone(this);
  }

  // What is between.

  /** The client sends no more: it is gone, but for an answer that it has asked for, and that is going out. */
  #onClientEnd(): void {
    if (this.#answerEnded && this.#unwritten > 0) this.#last = true;
    else this.destroy();
  }

  /** @returns what is behind the request; null: nothing */
  #parse(bytes: Buffer): Buffer | null {
    let end = bytes.length;
    try {
      end = this.#parser.push(bytes);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#refuse(statusOf(error), error.message);
    }
    this.#body.aim(this.#parser.left);
    return end < bytes.length && this.#parser.ended ? bytes.subarray(end) : null;
  }

  #keepAhead(bytes: Buffer): void {
    this.#ahead = bytes;
    // Beyond it nothing is heard of the client, its leaving included, until its requests have had their turn.
    if (bytes.length > aheadBytesMax) this.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#sinceMs = null;
  }

  #write(data: string | Buffer): boolean {
    this.#unwritten += 1;
    return typeof data === "string"
      ? this.#socket.write(data, "latin1", this.#onWritten)
      : this.#socket.write(data, this.#onWritten);
  }

  #writeHead(): void {
    this.#write(this.#takeHead());
  }

  #takeHead(): string {
    this.#headSent = true;
    const { status, statusText, headers } = this.#answer!;
    const framing = this.#chunked ? "Transfer-Encoding: chunked\r\n" : "";
    return `HTTP/1.1 ${status} ${statusText}\r\n${linesOf(headers)}${framing}${this.#connectionLines()}\r\n`;
  }

  #connectionLines(): string {
    if (this.#last) return "Connection: close\r\n";
    const seconds = Math.floor(this.#server.limits.keepAliveMs / 1000);
    return `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n`;
  }

  /** From the first answer that does not go out at once: whoever takes nothing of it is cut off. */
  #watch(): void {
    if (this.#watched) return;
    this.#watched = true;
    this.#socket.setTimeout(this.#server.limits.clientSilenceMs);
  }

  #onAnswered(): void {
    if (this.#answered || this.#phase === "gone") return;
    this.#answered = true;
    this.#handler!.onAnswered();
    if (this.#requestEnded) this.#onOver();
    else if (this.#last) this.#linger();
    // What is left of an upload is read and thrown away: the client may only then read the answer.
    else this.#resume();
  }

  /** Answered, and complete. */
  #onOver(): void {
    const last = this.#last;
    this.#over();
    if (last) {
      // With something unread on it, to end it resets it.
      if (this.#ahead === null) this.destroy();
      else this.#linger();
      return;
    }
    this.#enter("idle");
    this.#parser.next();
    const ahead = this.#ahead;
    this.#ahead = null;
    this.#resume();
    if (ahead === null) return;
    const rest = this.#parse(ahead);
    if (rest !== null) this.#keepAhead(rest);
  }

  /** Tells the handler, and makes ready for the next request. */
  #over(): void {
    const handler = this.#handler;
    if (handler === null) return;
    this.#handler = null;
    handler.onOver(this.#requestEnded);
    this.#body.free(this.#phase !== "gone");
    this.#requestEnded = false;
    this.#held = false;
    this.#answer = null;
    this.#headSent = false;
    this.#only = null;
    this.#chunked = false;
    this.#answerEnded = false;
    this.#answered = false;
  }

  /**
   * To end a connection with something unread on it resets it, and may take the answer back before its client has
   * read it. So it is ended on our side, and read on for a while.
   */
  #linger(): void {
    this.#enter("lingering");
    this.#over();
    this.#ahead = null;
    this.#socket.end();
    this.#resume();
  }

  #refuse(status: number, message: string): void {
    // Of an answer that has begun nothing can be taken back.
    if (this.#answer !== null) {
      this.destroy();
      return;
    }
    // One that somebody sees to is counted there, as cut off.
    if (this.#handler === null) this.#server.onRefused(status);
    const body = JSON.stringify({ error: message });
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n`;
    this.#socket.write(
      `${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
    this.#linger();
  }
}

const none = Buffer.alloc(0);

function statusOf(error: MalformedMessage): number {
  if (error instanceof HeadTooLarge) return 431;
  return error instanceof UnsupportedRequest ? 501 : 400;
}
