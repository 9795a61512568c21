import { decodeContent } from "../protocol/content.js";
import { ProtocolError } from "../protocol/error.js";
import { parseHeaderLength } from "../protocol/headers.js";
import {
  decodeInferRequest,
  type EncodedMessage,
  encodeInferResponse,
  type InferRequest,
} from "../protocol/infer.js";
import { wantsBinary } from "../protocol/request-parameters.js";
import type { Tensor } from "../tensor/tensor.js";
import { modelVersion } from "./description.js";
import { diedOfInput, InferError } from "./infer-error.js";
import { checkRequest } from "./infer-request.js";
import { deathsMax } from "./quarantine.js";
import type { InferenceOutcome, ServedModel } from "./served-model.js";

/** An infer call as it came in. */
export interface InferCall {
  body: Uint8Array;
  contentEncoding: string | undefined;
  inferenceHeaderLength: string | undefined;
  /** Whether the client still waits. */
  wanted: () => boolean;
}

/**
 * Answers an infer call.
 *
 * @throws InferError 400 for a request that the protocol or the model does not allow, 500 when the model failed on it, 503
 *   when it was not tried
 */
export async function infer(model: ServedModel, call: InferCall, bytesMax: number): Promise<EncodedMessage> {
  const request = decode(call, bytesMax);
  const outcome = await model.infer({ ...checkRequest(request, model.description), wanted: call.wanted });
  return encode(model.name, request, outputsOf(model.name, outcome));
}

function decode(call: InferCall, bytesMax: number): InferRequest {
  try {
    const body = decodeContent(call.body, call.contentEncoding, bytesMax);
    return decodeInferRequest(body, parseHeaderLength(call.inferenceHeaderLength, body.length));
  } catch (error) {
    if (error instanceof ProtocolError) throw new InferError(400, error.message);
    throw error;
  }
}

function outputsOf(name: string, outcome: InferenceOutcome): Tensor[] {
  switch (outcome.kind) {
    case "ran":
      return outcome.outputs;
    case "failed":
      throw new InferError(500, `model ${name} failed on this input: ${outcome.message}`);
    case "died":
      throw new InferError(500, `model ${name} ${diedOfInput}: ${outcome.message}`);
    case "quarantined":
      throw new InferError(
        500,
        `quarantined: model ${name} ${diedOfInput} ${deathsMax} times, so it is not run again before the server is started again`,
      );
    case "unavailable":
      throw new InferError(503, `model ${name} is not available now: ${outcome.message}`);
    case "abandoned":
      throw new InferError(503, "the client has gone");
  }
}

function encode(name: string, request: InferRequest, outputs: readonly Tensor[]): EncodedMessage {
  const response = {
    modelName: name,
    modelVersion,
    ...(request.id === undefined ? {} : { id: request.id }),
    parameters: {},
    outputs: outputs.map((output) => ({ ...output, parameters: {} })),
  };
  return encodeInferResponse(response, { binary: (output) => wantsBinary(request, output) });
}
