import { createHash } from "node:crypto";
import type { BlobStore } from "../blobs/blobs.js";
import { UnderstudyError } from "../errors.js";
import { dayOf } from "../ids.js";
import type { StoredBody } from "../store/types.js";
import type { Capture } from "./capture.js";
import type { StoredCapture } from "./segment.js";

/** Captures whose large bodies are taken out, and those bodies, each once. */
export interface SetApart {
  captures: (Capture | StoredCapture)[];
  bodies: (StoredBody & { key: string; body: Uint8Array })[];
}

/**
 * Takes the bodies above a threshold out of captures of one deployment and day. They are stored once under the SHA-256
 * of what is kept of them, which the captures refer to.
 *
 * @param largeBytes bodies above this are taken out
 */
export function setApart(captures: readonly Capture[], largeBytes: number): SetApart {
  const bodies = new Map<string, SetApart["bodies"][number]>();
  const refer = (capture: Capture, body: Uint8Array): string | null => {
    if (body.length <= largeBytes) return null;
    const sha256 = sha256Of(body);
    const known = bodies.get(sha256);
    if (known) known.refs += 1;
    else bodies.set(sha256, { sha256, key: bodyKey(capture, sha256), bytes: body.length, refs: 1, body });
    return sha256;
  };
  const nothing = new Uint8Array(0);
  const stored = captures.map((capture) => {
    const requestBodySha256 = refer(capture, capture.requestBody);
    const responseBodySha256 = refer(capture, capture.responseBody);
    if (requestBodySha256 === null && responseBodySha256 === null) return capture;
    return {
      ...capture,
      requestBody: requestBodySha256 === null ? capture.requestBody : nothing,
      responseBody: responseBodySha256 === null ? capture.responseBody : nothing,
      requestBodySha256,
      responseBodySha256,
    };
  });
  return { captures: stored, bodies: [...bodies.values()] };
}

/**
 * Captures with all of their bodies: those that lie outside the segment are fetched, each once.
 * @throws UnderstudyError `blob_missing`, or `blob_corrupt` when a body is not what its name says
 */
export async function withBodies(blobs: BlobStore, stored: readonly StoredCapture[]): Promise<Capture[]> {
  const fetched = new Map<string, Uint8Array>();
  const fetch = async (capture: Capture, sha256: string | null, inline: Uint8Array): Promise<Uint8Array> => {
    if (sha256 === null) return inline;
    const key = bodyKey(capture, sha256);
    const body = fetched.get(key) ?? (await intactBody(blobs, key, sha256));
    fetched.set(key, body);
    return body;
  };
  const captures: Capture[] = [];
  for (const capture of stored) {
    const { requestBodySha256, responseBodySha256 } = capture;
    if (requestBodySha256 === null && responseBodySha256 === null) {
      captures.push(capture);
      continue;
    }
    captures.push({
      ...capture,
      requestBody: await fetch(capture, requestBodySha256, capture.requestBody),
      responseBody: await fetch(capture, responseBodySha256, capture.responseBody),
    });
  }
  return captures;
}

/** Of one deployment and day, so that retention and a deleted deployment take their bodies along. */
export function bodyKeyOf(deploymentId: number, day: string, sha256: string): string {
  return `bodies/${deploymentId}/${day}/${sha256}`;
}

function bodyKey({ deploymentId, receivedAtMs }: Capture, sha256: string): string {
  return bodyKeyOf(deploymentId, dayOf(receivedAtMs), sha256);
}

async function intactBody(blobs: BlobStore, key: string, sha256: string): Promise<Uint8Array> {
  const body = await blobs.get(key);
  if (sha256Of(body) === sha256) return body;
  throw new UnderstudyError("blob_corrupt", `The body ${key} is not what its name says`, {
    hint: "Restore it from a backup of the blob store; comparisons made before stay as they are.",
  });
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
