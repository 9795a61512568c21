import { decodeCall } from "../protocol/answer.js";
import { callOf } from "../protocol/call.js";
import { decodeContent } from "../protocol/content.js";
import { headerLengthName, parseHeaderLength } from "../protocol/headers.js";
import { sequenceId } from "../protocol/request-parameters.js";
import type { StoredRecord } from "./record.js";

/** What a request says of the sequence that it belongs to. */
export interface SequenceStep {
  /** The client's id, as text. */
  id: string;
  start: boolean;
  end: boolean;
}

/**
 * The step that a recorded request is; null: of no sequence, or it cannot be read, which is told later.
 * @param bytesMax most bytes of its body once the content coding is removed
 */
export function sequenceStepOf(
  { path, requestHeaders, requestBody }: Pick<StoredRecord, "path" | "requestHeaders" | "requestBody">,
  bytesMax: number,
): SequenceStep | null {
  // Most requests of most models are of no sequence, and need not be read for it.
  const coding = headerOf(requestHeaders, "content-encoding");
  if (coding === undefined && !requestBody.includes("sequence_id")) return null;
  try {
    const body = decodeContent(requestBody, coding, bytesMax);
    const headerLength = parseHeaderLength(headerOf(requestHeaders, headerLengthName), body.length);
    const request = decodeCall(callOf(path), body, headerLength);
    const id = sequenceId(request);
    const { sequence_start, sequence_end } = request.parameters;
    return id === null ? null : { id, start: sequence_start === true, end: sequence_end === true };
  } catch {
    return null;
  }
}

function headerOf(pairs: readonly string[], name: string): string | undefined {
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    if (pairs[index]!.toLowerCase() === name) return pairs[index + 1];
  }
  return undefined;
}
