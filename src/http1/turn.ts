/** What is to be written when everything that has arrived by now has been read. */
export interface Writer {
  flush(): void;
}

/** When writers write. */
export interface Writing {
  add(writer: Writer): void;
}

/** As soon as they can: for requests that have their time. */
export const atOnce: Writing = { add: (writer) => writer.flush() };

/**
 * Puts writes off to the end of the event loop's turn, when all that was there to be read has been. Between two writes
 * with reading in between, whoever receives the first falls asleep again and has to be woken for the second, which is
 * the dearest part of a write; written one behind the other, they find it awake.
 */
export class Turn implements Writing {
  #writers: Writer[] = [];
  readonly #end = () => {
    const writers = this.#writers;
    this.#writers = [];
    for (const writer of writers) writer.flush();
  };

  add(writer: Writer): void {
    if (this.#writers.push(writer) === 1) setImmediate(this.#end);
  }
}
