import { ChunkedParser } from "./chunked-parser.js";
import { MalformedMessage } from "./fields.js";
import { parseRequestHead, type RequestHead } from "./request-head.js";

/** What a parser tells of a request, in this order. */
export interface RequestEvents {
  onHead(head: RequestHead): void;
  /** @param part valid only during the call: a reader's memory is used again */
  onBody(part: Buffer): void;
  /** @param rawTrailers names and values in turn */
  onRequestEnd(rawTrailers: string[]): void;
}

/** The request's head is larger than it may be. */
export class HeadTooLarge extends MalformedMessage {}

const headEnd = Buffer.from("\r\n\r\n");
const noTrailers: string[] = [];
const CR = 0x0d;
const LF = 0x0a;
/** A client mostly asks for the same, byte for byte, and comparing heads costs less than reading them. */
const rememberedBytesMax = 2048;

/**
 * Reads the requests on one connection, one after the other: what comes behind one is read once its turn has come.
 * Strict: whatever two readers could frame differently is an error. Makes no copy of bodies.
 */
export class RequestParser {
  readonly #events: RequestEvents;
  readonly #headBytesMax: number;
  #state: "head" | "length" | "chunked" | "ended" = "head";
  /** The beginning of a head that has not come whole. */
  #kept: Buffer | null = null;
  #newest: { bytes: Buffer; head: RequestHead } | null = null;
  #left = 0;
  #chunked: ChunkedParser | null = null;

  constructor(events: RequestEvents, headBytesMax: number) {
    this.#events = events;
    this.#headBytesMax = headBytesMax;
  }

  /** Whether a head has begun, and not ended. */
  get isInHead(): boolean {
    return this.#kept !== null;
  }

  /** Whether all of a request has been read, and `next` has not been called yet. */
  get ended(): boolean {
    return this.#state === "ended";
  }

  /** How many bytes of a body of a known length are missing. */
  get left(): number {
    return this.#state === "length" ? this.#left : 0;
  }

  /** The turn of the request behind the one that was read has come. */
  next(): void {
    this.#state = "head";
  }

  /**
   * @returns up to where it has read: less than all only when the request has ended
   * @throws MalformedMessage
   */
  push(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "ended") {
      switch (this.#state) {
        case "head":
          at = this.#readHead(bytes, at);
          break;
        case "length": {
          const end = Math.min(bytes.length, at + this.#left);
          const part = at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end);
          this.#left -= part.length;
          at = end;
          this.#events.onBody(part);
          if (this.#left === 0) this.#end(noTrailers);
          break;
        }
        case "chunked":
          at = this.#chunked!.push(bytes, at);
          if (this.#chunked!.ended) this.#end(this.#chunked!.rawTrailers);
          break;
      }
    }
    return at;
  }

  /** @returns where the head ends */
  #readHead(bytes: Buffer, from: number): number {
    let at = from;
    // Some clients end a body with a line break that does not count; servers are asked to put up with it.
    if (this.#kept === null) while (bytes[at] === CR || bytes[at] === LF) at += 1;
    if (at === bytes.length) return at;
    const before = this.#kept?.length ?? 0;
    const all = this.#kept === null ? bytes.subarray(at) : Buffer.concat([this.#kept, bytes.subarray(at)]);
    const end = all.indexOf(headEnd, Math.max(0, before - 3));
    if ((end < 0 ? all.length : end) > this.#headBytesMax)
      throw new HeadTooLarge(`the request's head is larger than ${this.#headBytesMax} bytes`);
    if (end < 0) {
      this.#refuseNoise(all);
      // A copy: the reader's memory is used again.
      this.#kept = this.#kept === null ? Buffer.from(all) : all;
      return bytes.length;
    }
    this.#kept = null;
    this.#begin(this.#parsed(all.subarray(0, end)));
    return at + end + headEnd.length - before;
  }

  /** What begins with no visible character is no HTTP, and may never end as a head does: TLS, say. */
  #refuseNoise(start: Buffer): void {
    if (start[0]! < 0x21 || start[0]! > 0x7e)
      throw new MalformedMessage("the request does not begin with an HTTP/1.1 request line");
  }

  #parsed(bytes: Buffer): RequestHead {
    const newest = this.#newest;
    if (newest?.bytes.equals(bytes)) return newest.head;
    const head = parseRequestHead(bytes.toString("latin1"));
    this.#newest = bytes.length <= rememberedBytesMax ? { bytes: Buffer.from(bytes), head } : null;
    return head;
  }

  #begin(head: RequestHead): void {
    if (head.body !== "none") {
      this.#state = head.body;
      this.#left = head.passed.contentLength ?? 0;
      if (head.body === "chunked")
        this.#chunked = new ChunkedParser(this.#events, this.#headBytesMax, "the request");
    }
    this.#events.onHead(head);
    if (head.body === "none") this.#end(noTrailers);
  }

  #end(rawTrailers: string[]): void {
    this.#state = "ended";
    this.#chunked = null;
    this.#events.onRequestEnd(rawTrailers);
  }
}
