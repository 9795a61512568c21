import { createHash } from "node:crypto";
import type { BlobStore } from "../blobs/blobs.js";
import { withBodies } from "../capture/bodies.js";
import type { Capture } from "../capture/capture.js";
import { readSegment } from "../capture/segment.js";
import type { ElementValue } from "../compare/types.js";
import { UnderstudyError } from "../errors.js";
import { decodeAnswer, decodeCall } from "../protocol/answer.js";
import { callOf } from "../protocol/call.js";
import { decodeContent } from "../protocol/content.js";
import { ProtocolError } from "../protocol/error.js";
import { headerLengthName, parseHeaderLength } from "../protocol/headers.js";
import type { CaptureLocation } from "../store/comparisons.js";
import { elementCount } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { elementAt } from "../tensor/view.js";
import type { Observation } from "../upstream/observation.js";
import type { ComparisonTensors, TensorValues } from "./api.js";

/** Shown of one tensor, and of one text in it; the rest stays in the segment. */
const elementsMax = 4096;
const charactersMax = 1024;
/** Largest body once its content coding is removed. */
const bodyBytesMax = 64 * 1024 ** 2;

/**
 * Reads one capture out of its segment, and the bodies that it refers to.
 * @throws UnderstudyError `blob_missing`, or `blob_corrupt` when the blob is not what was catalogued
 */
export async function readCapture(
  blobs: BlobStore,
  { blobKey, sha256, row }: CaptureLocation,
  captureId: string,
): Promise<Capture> {
  const bytes = await blobs.get(blobKey);
  const intact = createHash("sha256").update(bytes).digest("hex") === sha256;
  const capture = intact ? (await readSegment(bytes))[row] : undefined;
  if (capture?.id === captureId) return (await withBodies(blobs, [capture]))[0]!;
  throw new UnderstudyError("blob_corrupt", `The segment ${blobKey} is not what was catalogued`, {
    hint: "Restore it from a backup of the blob store; comparisons made before stay as they are.",
  });
}

/**
 * The tensors of a comparison: of the request, of the primary's answer, and of the candidate's.
 * @param candidate null: its answer was not kept
 */
export function comparisonTensorsOf(capture: Capture, candidate: Observation | null): ComparisonTensors {
  const { path, requestBody, requestHeaders, responseBody, responseHeaders } = capture;
  const call = callOf(path);
  const outputsOf: Reading = (body, length) => decodeAnswer(call, body, length).outputs;
  return {
    inputs: decoded(requestBody, requestHeaders, (body, length) => decodeCall(call, body, length).inputs),
    primary: decoded(responseBody, responseHeaders, outputsOf),
    candidate: candidateSide(candidate, outputsOf),
  };
}

type Reading = (body: Uint8Array, headerLength: number | null) => readonly Tensor[];

function candidateSide(candidate: Observation | null, outputsOf: Reading): ComparisonTensors["candidate"] {
  if (candidate === null) {
    const note = "This answer was not kept; the comparison has the elements that differ most.";
    return { tensors: null, note };
  }
  if (candidate.ok) return decoded(candidate.body, candidate.headers, outputsOf);
  return { tensors: null, note: `It gave no answer (${candidate.failure}): ${candidate.message}` };
}

function decoded(
  raw: Uint8Array,
  headers: Readonly<Record<string, string>>,
  tensorsOf: Reading,
): ComparisonTensors["inputs"] {
  try {
    const body = decodeContent(raw, headers["content-encoding"], bodyBytesMax);
    const tensors = tensorsOf(body, parseHeaderLength(headers[headerLengthName], body.length));
    return { tensors: tensors.map(shown), note: null };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { tensors: null, note: `The body cannot be decoded: ${error.message}` };
  }
}

function shown(tensor: Tensor): TensorValues {
  const elements = elementCount(tensor.shape);
  const values = Array.from({ length: Math.min(elements, elementsMax) }, (_, i) =>
    shortened(elementAt(tensor, i)),
  );
  return {
    name: tensor.name,
    datatype: tensor.datatype,
    shape: [...tensor.shape],
    elements,
    values,
    truncated: elements > values.length,
  };
}

function shortened(value: ElementValue): ElementValue {
  if (typeof value !== "string" || value.length <= charactersMax) return value;
  return `${value.slice(0, charactersMax)}…`;
}
