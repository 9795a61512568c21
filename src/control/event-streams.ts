import type { RequestHandler, Response } from "express";
import { messageOf, UnderstudyError } from "../errors.js";
import type { Logger } from "../log.js";

const pollMs = 500;
/** Something must be sent now and then, or proxies take the connection for dead. */
const beatMs = 15_000;
/** Streams open at a time; each asks the database twice a second. */
const streamsMax = 100;

/** What a stream tells of: `read` gives it as it is now. */
export interface Told<T> {
  read(): Promise<T>;
  hasEnded(value: T): boolean;
}

/**
 * Streams of server-sent events, each about one thing that workers do: `progress` with the thing as JSON whenever it has
 * changed, and `end` with it as it ended, after which the stream is over. A reader that comes back gets what there is now.
 */
export interface EventStreams {
  /** @param of finds what is asked for; what it throws is answered as a problem */
  handler<T>(of: (id: string) => Told<T>): RequestHandler<{ id: string }>;
  /** Ends all streams: their readers come back, to whoever serves then. */
  close(): void;
}

export function createEventStreams(log: Logger): EventStreams {
  const open = new Set<Response>();

  async function stream<T>(response: Response, told: Told<T>, first: T): Promise<void> {
    open.add(response);
    const gone = new AbortController();
    response.on("close", () => {
      open.delete(response);
      gone.abort();
    });
    response.writeHead(200, { "content-type": "text/event-stream", "x-accel-buffering": "no" });
    let sent = "";
    let sentAtMs = performance.now();
    let value = first;
    while (!gone.signal.aborted && !response.writableEnded) {
      const ended = told.hasEnded(value);
      const text = JSON.stringify(value, response.app.get("json replacer"));
      if (text !== sent || ended) {
        response.write(`event: ${ended ? "end" : "progress"}\ndata: ${text}\n\n`);
        sent = text;
        sentAtMs = performance.now();
      } else if (performance.now() - sentAtMs > beatMs) {
        response.write(":\n\n");
        sentAtMs = performance.now();
      }
      if (ended) break;
      await pause(pollMs, gone.signal);
      // A reader that takes nothing holds nothing back but itself: what is meanwhile is told once it reads again.
      while (response.writableNeedDrain && !gone.signal.aborted) await pause(pollMs, gone.signal);
      if (!gone.signal.aborted) value = await told.read();
    }
    response.end();
  }

  return {
    handler: (of) => async (request, response) => {
      const told = of(request.params.id);
      const first = await told.read();
      if (open.size >= streamsMax) {
        throw new UnderstudyError(
          "busy",
          `${streamsMax} event streams are open, which is all that are served.`,
          {
            hint: "Ask for it itself now and then, without /events.",
          },
        );
      }
      // Once it has begun an error can only end it; the reader comes back, and gets the error as a problem then.
      stream(response, told, first).catch((error) => {
        log.warn({ error: messageOf(error) }, "event stream ended");
        response.end();
      });
    },
    close() {
      for (const response of open) response.end();
    },
  };
}

function pause(ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      gone.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    gone.addEventListener("abort", done);
  });
}
