import { controls, MalformedMessage, readField } from "./fields.js";

const chunkSize = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?$/;
const CR = 0x0d;
const LF = 0x0a;

/** Reads one chunked body, and the trailers behind it. */
export class ChunkedParser {
  readonly #events: { onBody(part: Buffer): void };
  readonly #lineBytesMax: number;
  readonly #of: string;
  /** `size` and `trailer` are lines; `dataEnd` is the line break behind a chunk. */
  #state: "size" | "data" | "dataEnd" | "trailer" | "ended" = "size";
  #line = "";
  #left = 0;
  #trailerBytes = 0;
  readonly rawTrailers: string[] = [];

  /** @param of whose body it is, for errors: `its answer` */
  constructor(events: { onBody(part: Buffer): void }, lineBytesMax: number, of: string) {
    this.#events = events;
    this.#lineBytesMax = lineBytesMax;
    this.#of = of;
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  /**
   * @returns up to where it has read: less than all only when the body has ended
   * @throws MalformedMessage
   */
  push(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length && this.#state !== "ended") {
      if (this.#state === "data") {
        const end = Math.min(bytes.length, at + this.#left);
        this.#left -= end - at;
        if (this.#left === 0) this.#state = "dataEnd";
        this.#events.onBody(bytes.subarray(at, end));
        at = end;
        continue;
      }
      const feedAt = bytes.indexOf(LF, at);
      const end = feedAt < 0 ? bytes.length : feedAt + 1;
      this.#line += bytes.toString("latin1", at, end);
      if (this.#line.length > this.#lineBytesMax)
        throw new MalformedMessage(`a line between chunks of ${this.#of} is too long`);
      at = end;
      if (feedAt >= 0) this.#takeLine();
    }
    return at;
  }

  #takeLine(): void {
    const length = this.#line.length;
    if (this.#line.charCodeAt(length - 2) !== CR)
      throw new MalformedMessage(`a line between chunks of ${this.#of} ends with a bare LF`);
    const line = this.#line.slice(0, length - 2);
    this.#line = "";
    switch (this.#state) {
      case "size": {
        const size = controls.test(line) ? null : chunkSize.exec(line);
        if (size === null) throw new MalformedMessage(`a chunk of ${this.#of} has no proper size`);
        this.#left = Number.parseInt(size[1]!, 16);
        this.#state = this.#left === 0 ? "trailer" : "data";
        break;
      }
      case "dataEnd":
        if (line !== "") throw new MalformedMessage(`a chunk of ${this.#of} is longer than it says`);
        this.#state = "size";
        break;
      case "trailer":
        if (line === "") {
          this.#state = "ended";
          break;
        }
        this.#trailerBytes += length;
        if (this.#trailerBytes > this.#lineBytesMax)
          throw new MalformedMessage(`the trailers of ${this.#of} are too long`);
        this.rawTrailers.push(...readField(line, this.#of));
        break;
    }
  }
}
