import { decodeCall } from "../protocol/answer.js";
import { callOf } from "../protocol/call.js";
import { decodeContent } from "../protocol/content.js";
import { headerLengthName, headerValue, parseHeaderLength } from "../protocol/headers.js";
import { sequenceId, usesSharedMemory } from "../protocol/request-parameters.js";
import { headerPairs, type StoredRecord } from "./record.js";

/** What a request says of the sequence that it belongs to. */
export interface SequenceStep {
  /** The client's id, as text. */
  id: string;
  start: boolean;
  end: boolean;
}

/**
 * The step that a recorded request is; null: of no sequence; "hidden": it may be of one, and could not be replayed in
 * it, since it cannot be read or lies in shared memory. That it is not eligible is told later.
 * @param bytesMax most bytes of its body once the content coding is removed
 */
export function sequenceStepOf(
  { path, requestHeaderText, requestBody }: Pick<StoredRecord, "path" | "requestHeaderText" | "requestBody">,
  bytesMax: number,
): SequenceStep | "hidden" | null {
  const requestHeaders = headerPairs(requestHeaderText);
  const coding = headerValue(requestHeaders, "content-encoding");
  // Most requests of most models are of no sequence, and need not be read for it.
  if (coding === undefined && !requestBody.includes("sequence_id")) return null;
  try {
    const body = decodeContent(requestBody, coding, bytesMax);
    const headerLength = parseHeaderLength(headerValue(requestHeaders, headerLengthName), body.length);
    const request = decodeCall(callOf(path), body, headerLength);
    const id = sequenceId(request);
    if (id !== null && usesSharedMemory(request)) return "hidden";
    const { sequence_start, sequence_end } = request.parameters;
    return id === null ? null : { id, start: sequence_start === true, end: sequence_end === true };
  } catch {
    return "hidden";
  }
}
