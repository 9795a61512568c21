import { isUtf8 } from "node:buffer";
import { excerptOf, ProtocolError } from "./error.js";

/**
 * The data of the events of a stream of server-sent events, in order (the HTML standard's parsing of an event stream:
 * lines end in LF, CR or CRLF; several `data` lines of one event are joined; comments and other fields are left out).
 * A last event that no empty line follows was cut off, and throws ProtocolError, as do bytes that are no such stream.
 */
export function eventsOf(body: Uint8Array): string[] {
  if (!isUtf8(body)) throw new ProtocolError("the event stream is not UTF-8", excerptOf(body));
  const events: string[] = [];
  let data: string[] | null = null;
  for (const line of linesOf(body)) {
    if (line === "") {
      if (data !== null) events.push(data.join("\n"));
      data = null;
      continue;
    }
    const colonAt = line.indexOf(":");
    const field = colonAt < 0 ? line : line.slice(0, colonAt);
    if (!fields.has(field)) throw new ProtocolError("the body is no event stream", excerptOf(body));
    if (field !== "data") continue;
    const value = colonAt < 0 ? "" : line.slice(colonAt + 1);
    data ??= [];
    data.push(value.startsWith(" ") ? value.slice(1) : value);
  }
  if (data !== null) throw new ProtocolError("the event stream ends in the middle of an event");
  return events;
}

/** The standard would pass over others; an answer that is something else must not be taken for an empty stream. */
const fields: ReadonlySet<string> = new Set(["", "data", "event", "id", "retry"]);

function linesOf(body: Uint8Array): string[] {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  // Behind the last line break there is no further line.
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
