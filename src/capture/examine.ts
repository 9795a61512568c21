import { decodeAnswer, decodeCall } from "../protocol/answer.js";
import { type Call, callOf } from "../protocol/call.js";
import { decodeContent } from "../protocol/content.js";
import { headerLengthName, parseHeaderLength } from "../protocol/headers.js";
import {
  type JsonReader,
  outlineOf,
  parseJson,
  readOutline,
  surveyEachValue,
  surveyJson,
} from "../protocol/json.js";
import { sequenceId, usesSharedMemory } from "../protocol/request-parameters.js";
import { hasLayout, type Layout, layoutOf } from "../protocol/stand-in-numbers.js";
import { remembered } from "../remembered.js";
import type { Capture, NotEligibleReason } from "./capture.js";
import { headerPairs, type StoredRecord } from "./record.js";
import { tagCharactersMax } from "./settings.js";

/** Request headers that say what the body is, or the answer may be; all others that were recorded are tags. */
const contentHeaders = new Set(["accept", "content-encoding", "content-type", headerLengthName]);

const versionCharactersMax = 128;
/** What a model's messages say beside their numbers. */
const outlineCharactersMax = 1_024;
/** All headers of a message whose client, or server, always sends the same. */
const headerCharactersMax = 2_048;
const nothing = new Uint8Array(0);

/** What one spooled exchange is: a capture, or no request that could be replayed alone. */
export type Examined = { capture: Capture } | { notEligible: NotEligibleReason };

/**
 * Reads an exchange as the protocol has it, under caps: content codings are removed only to look inside, and bodies
 * are kept as received. An answer that cannot be read makes no difference here: comparing will say so.
 *
 * @param bytesMax most bytes of a body once its content coding is removed
 */
export function examine(record: StoredRecord, bytesMax: number): Examined {
  const call = callOf(record.path);
  const { headers, requestHeaders, tags } = requestPartsOf(record.requestHeaderText);
  const notEligible = ineligibility(
    call,
    record.requestBody,
    headers,
    bytesMax,
    record.sequencePlace !== null,
  );
  if (notEligible !== null) return { notEligible };
  const responseHeaders = responseHeadersOf(record.responseHeaderText);
  return {
    capture: {
      id: record.id,
      sequence: record.sequence,
      deploymentId: record.deploymentId,
      receivedAtMs: record.receivedAtMs,
      transport: "http",
      method: record.method,
      path: record.path,
      requestHeaders,
      requestBody: record.requestBody,
      status: record.status,
      responseHeaders,
      responseBody: record.responseBody,
      primaryMs: record.primaryMs,
      primaryVersion: versionOf(call, record.responseBody, responseHeaders, bytesMax),
      sample: record.sample === "base" ? "base" : "targeted",
      rule: record.rule,
      sequencePlace: record.sequencePlace,
      tags,
      redacted: record.redacted,
      subject: record.subject,
    },
  };
}

function ineligibility(
  call: Call,
  received: Uint8Array,
  headers: Readonly<Record<string, string>>,
  bytesMax: number,
  inSequence: boolean,
): NotEligibleReason | null {
  let body: Uint8Array;
  let headerLength: number | null;
  try {
    body = decodeContent(received, headers["content-encoding"], bytesMax);
  } catch {
    return "content_coding";
  }
  try {
    headerLength = parseHeaderLength(headers[headerLengthName], body.length);
  } catch {
    return "framing";
  }
  try {
    const { sharedMemory, sequence } = lookAtRequest(call, body, headerLength);
    if (sharedMemory) return "shared_memory";
    return sequence && !inSequence ? "sequence" : null;
  } catch {
    return "parse";
  }
}

function versionOf(
  call: Call,
  received: Uint8Array,
  headers: Readonly<Record<string, string>>,
  bytesMax: number,
): string {
  try {
    const body = decodeContent(received, headers["content-encoding"], bytesMax);
    const headerLength = parseHeaderLength(headers[headerLengthName], body.length);
    return lookForVersion(call, body, headerLength);
  } catch {
    return "";
  }
}

const lookAtRequest = looking((...message) => {
  const request = decodeCall(...message);
  return { sharedMemory: usesSharedMemory(request), sequence: sequenceId(request) !== null };
});

const lookForVersion = looking((...message) => {
  const { modelVersion } = decodeAnswer(...message);
  // Foreign text on its way into Postgres, which refuses NUL.
  return modelVersion.replaceAll("\0", "\ufffd").slice(0, versionCharactersMax);
});

/**
 * Looks for something in messages that does not depend on their tensors' values, so most need not be read in full to be
 * known as sound, and what was found under one outline is true of every message that has it. Where messages
 * carry no id, most have the layout of the one before them: of those no outline is made.
 */
function looking<Found>(
  look: (call: Call, body: Uint8Array, headerLength: number | null, parse: JsonReader) => Found,
): (call: Call, body: Uint8Array, headerLength: number | null) => Found {
  const under = (call: Call) =>
    remembered((outline) => {
      const value = readOutline(outline);
      return value === undefined ? null : { found: look(call, nothing, null, () => value) };
    }, outlineCharactersMax);
  const known = { infer: under("infer"), generate: under("generate"), predict: under("predict") };
  const latest: Partial<Record<Call, { layout: Layout; found: Found }>> = {};
  return (call, body, headerLength) => {
    const last = latest[call];
    if (last !== undefined && headerLength === null && hasLayout(body, last.layout)) return last.found;
    try {
      // A stream of events is not one JSON text.
      if (headerLength !== null || call === "generate_stream") {
        return look(call, body, headerLength, surveyJson);
      }
      const layout = layoutOf(body);
      if (layout === null) return look(call, body, null, surveyEachValue);
      const outline = outlineOf(layout);
      // Without lists it is the whole message, and hardly another has it.
      const told = layout.counts.length > 0 ? known[call](outline) : null;
      if (told !== null) {
        const { parts, counts } = layout;
        // Copied: the body's memory is overwritten with the next file.
        latest[call] = {
          layout: { parts: parts.map((part) => Buffer.from(part)), counts },
          found: told.found,
        };
        return told.found;
      }
      return look(call, body, null, (source) => readOutline(outline) ?? surveyEachValue(source));
    } catch {
      return look(call, body, headerLength, parseJson);
    }
  };
}

/** Lower-case names; values of a repeated header are joined, as HTTP has it. */
function byName(text: string): Record<string, string> {
  const pairs = headerPairs(text);
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const name = pairs[index]!.toLowerCase();
    const value = pairs[index + 1]!;
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

const responseHeadersOf = remembered(byName, headerCharactersMax);

/** Those of a request, by what they are for. */
const requestPartsOf = remembered((text) => {
  const headers = byName(text);
  const requestHeaders: Record<string, string> = {};
  const tags: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (contentHeaders.has(name)) requestHeaders[name] = value;
    else tags[name] = value.slice(0, tagCharactersMax);
  }
  return { headers, requestHeaders, tags };
}, headerCharactersMax);
