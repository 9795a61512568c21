import { ChunkedParser } from "./chunked-parser.js";
import { MalformedMessage } from "./fields.js";
import { parseResponseHead, type ResponseHead } from "./response-head.js";

/** What a parser tells, in this order: interim heads, the head, parts of the body, the end. */
export interface ResponseEvents {
  /** An answer before the answer: 100, 102, 103 and what else may come. */
  onInterim(head: ResponseHead): void;
  /** @param more whether bytes of the body have come with it */
  onHead(head: ResponseHead, more: boolean): void;
  /** @param part valid only during the call: a reader's memory is used again */
  onBody(part: Buffer): void;
  /**
   * @param rawTrailers names and values in turn
   * @param surplus whether more bytes than the answer have come: the connection cannot be trusted any more
   */
  onEnd(rawTrailers: string[], surplus: boolean): void;
}

type State = "idle" | "head" | "length" | "chunked" | "close";

const headEnd = Buffer.from("\r\n\r\n");
const noTrailers: string[] = [];
/** A primary that has so much to say beforehand does not mean to answer. */
const interimMax = 16;

/**
 * Reads the answers on one connection, one after the other. Strict: whatever two readers could frame differently is
 * an error. Makes no copy of bodies.
 */
export class ResponseParser {
  readonly #events: ResponseEvents;
  readonly #headBytesMax: number;
  #state: State = "idle";
  #bodiless = false;
  /** The beginning of a head that has not come whole. */
  #kept: Buffer | null = null;
  #newest: { bytes: Buffer; bodiless: boolean; head: ResponseHead } | null = null;
  #left = 0;
  #interim = 0;
  #chunked: ChunkedParser | null = null;

  constructor(events: ResponseEvents, headBytesMax: number) {
    this.#events = events;
    this.#headBytesMax = headBytesMax;
  }

  /** A request has been sent whose answer is to be read. */
  expect(method: string): void {
    this.#bodiless = method === "HEAD";
    this.#state = "head";
    this.#interim = 0;
  }

  /** @throws MalformedMessage */
  push(bytes: Buffer): void {
    if (this.#state === "idle") throw new MalformedMessage("it sent what was not asked for");
    let at = 0;
    while (at < bytes.length) {
      // The end of an answer moves it on, and so may whoever is told of it.
      switch (this.#state as State) {
        case "idle":
          return;
        case "head":
          at = this.#readHead(bytes, at);
          break;
        case "length": {
          const end = Math.min(bytes.length, at + this.#left);
          this.#left -= end - at;
          // The last part first, so that whoever hears of the end has heard of it.
          const part = bytes.subarray(at, end);
          at = end;
          this.#events.onBody(part);
          if (this.#left === 0) this.#end(noTrailers, at < bytes.length);
          break;
        }
        case "chunked":
          at = this.#chunked!.push(bytes, at);
          if (this.#chunked!.ended) this.#end(this.#chunked!.rawTrailers, at < bytes.length);
          break;
        case "close":
          this.#events.onBody(bytes.subarray(at));
          return;
      }
    }
  }

  /**
   * The primary will send no more, which ends an answer that is framed by nothing else.
   * @returns whether nothing is missing
   */
  finish(): boolean {
    if (this.#state === "close") this.#end(noTrailers, false);
    return this.#state === "idle";
  }

  /** @returns where the head ends */
  #readHead(bytes: Buffer, at: number): number {
    const before = this.#kept?.length ?? 0;
    const all = this.#kept === null ? bytes.subarray(at) : Buffer.concat([this.#kept, bytes.subarray(at)]);
    const end = all.indexOf(headEnd, Math.max(0, before - 3));
    if ((end < 0 ? all.length : end) > this.#headBytesMax) {
      throw new MalformedMessage(`its answer's head is larger than ${this.#headBytesMax} bytes`);
    }
    if (end < 0) {
      // A copy: the reader's memory is used again.
      this.#kept = this.#kept === null ? Buffer.from(all) : all;
      return bytes.length;
    }
    this.#kept = null;
    const head = this.#parsed(all.subarray(0, end));
    const next = at + end + headEnd.length - before;
    if (head.status < 200) {
      this.#interim += 1;
      if (head.status === 101 || this.#interim > interimMax) {
        throw new MalformedMessage(`it answered ${head.status}, which was not asked for`);
      }
      this.#events.onInterim(head);
      return next;
    }
    this.#begin(head, next < bytes.length);
    return next;
  }

  /** Heads of one primary are mostly the same, byte for byte, and comparing them costs less than reading them. */
  #parsed(bytes: Buffer): ResponseHead {
    const newest = this.#newest;
    if (newest !== null && newest.bodiless === this.#bodiless && newest.bytes.equals(bytes))
      return newest.head;
    const head = parseResponseHead(bytes.toString("latin1"), this.#bodiless);
    this.#newest = { bytes: Buffer.from(bytes), bodiless: this.#bodiless, head };
    return head;
  }

  #begin(head: ResponseHead, more: boolean): void {
    const { body } = head;
    const { contentLength } = head.passed;
    const empty = body === "none" || (body === "length" && contentLength === 0);
    if (!empty) {
      this.#state = body;
      this.#left = contentLength ?? 0;
      if (body === "chunked")
        this.#chunked = new ChunkedParser(this.#events, this.#headBytesMax, "its answer");
    }
    this.#events.onHead(head, empty || more);
    if (empty) this.#end(noTrailers, more);
  }

  #end(rawTrailers: string[], surplus: boolean): void {
    this.#state = "idle";
    this.#chunked = null;
    this.#events.onEnd(rawTrailers, surplus);
  }
}
