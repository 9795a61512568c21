import type { Call } from "./call.js";
import { memberSpan, type Span } from "./member-span.js";

/** An id for a sequence in either form that V2 servers take; which is used is for the request to say. */
export interface SequenceId {
  number: bigint;
  text: string;
}

/**
 * The body of a request with another `sequence_id`, of the type that it had; else byte for byte the same.
 *
 * @param body sound, and free of content coding
 * @param headerLength of the JSON at its head; null: it is JSON
 */
export function withSequenceId(
  call: Call,
  { bytes, headerLength }: { bytes: Uint8Array; headerLength: number | null },
  id: SequenceId,
): { bytes: Uint8Array; headerLength: number | null } {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  // One character for each byte, so that places in the text are places in the body.
  const json = data.toString("latin1", 0, headerLength ?? bytes.length);
  const parameters = memberSpan(json, 0, "parameters");
  const inside = parameters && memberSpan(json, parameters.from, "sequence_id");
  // Everything but `infer` takes it at the top as well.
  const top = call === "infer" ? null : memberSpan(json, 0, "sequence_id");
  const spans = [inside, top].filter((span): span is Span => span !== null);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { from, to } of spans.sort((a, b) => a.from - b.from)) {
    const written = json[from] === '"' ? JSON.stringify(id.text) : String(id.number);
    parts.push(data.subarray(at, from), Buffer.from(written));
    at = to;
  }
  const changed = Buffer.concat([...parts, data.subarray(at)]);
  return {
    bytes: changed,
    headerLength: headerLength === null ? null : headerLength + changed.length - bytes.length,
  };
}
