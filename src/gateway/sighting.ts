import type { DropReason } from "../capture/capture.js";
import type { MinuteTally, Tally } from "../capture/tally.js";
import type { DeploymentRoute } from "./routes.js";

/** Memory that all bodies under way may take together; what goes beyond is not captured. */
export interface CaptureBudget {
  readonly bodyBytesMax: number;
  readonly heldBytesMax: number;
  heldBytes: number;
}

/**
 * What the capture side will be told of one exchange: bodies by reference, as they pass. It never delays them, and it
 * ends in exactly one of: handed over, or dropped for one reason.
 */
export interface Sighting {
  /** @param contentLength of the request; null when it is not said beforehand */
  request(headers: readonly string[], contentLength: number | null): void;
  requestChunk(chunk: Uint8Array): void;
  response(status: number, headers: readonly string[], contentLength: number | null): void;
  responseChunk(chunk: Uint8Array): void;
  handOver(primaryMs: number): void;
  drop(reason: DropReason): void;
}

/** Counts the request in its deployment's account. null: it is not sampled, and nothing more is to be told. */
export function sight(
  route: DeploymentRoute,
  exchange: { method: string; path: string },
  budget: CaptureBudget,
  random: () => number,
): Sighting | null {
  if (route.account === null) return null;
  const { tally, deployment } = route.account;
  const receivedAtMs = tally.nowMs();
  const sequence = tally.sequence;
  const minute = tally.receive(deployment, receivedAtMs);
  if (!route.captureEnabled) {
    tally.dropped(minute, "capture_off");
    return null;
  }
  if (random() >= route.sampleRate) {
    tally.sampledOut(minute);
    return null;
  }
  const { deploymentId } = deployment;
  return openSighting({ tally, minute, budget, ...exchange, deploymentId, sequence, receivedAtMs });
}

function openSighting(known: {
  tally: Tally;
  minute: MinuteTally;
  budget: CaptureBudget;
  method: string;
  path: string;
  deploymentId: number;
  sequence: number;
  receivedAtMs: number;
}): Sighting {
  const { tally, minute, budget, method, path, deploymentId, sequence, receivedAtMs } = known;
  let open = true;
  let requestHeaders: readonly string[] = [];
  let responseHeaders: readonly string[] = [];
  let requestChunks: Uint8Array[] = [];
  let responseChunks: Uint8Array[] = [];
  let requestBytes = 0;
  let responseBytes = 0;
  let status = 0;

  function end(): void {
    open = false;
    budget.heldBytes -= requestBytes + responseBytes;
    requestChunks = [];
    responseChunks = [];
  }

  function drop(reason: DropReason): void {
    if (!open) return;
    end();
    tally.dropped(minute, reason);
  }

  function hold(bytes: number, bodyBytes: number): boolean {
    budget.heldBytes += bytes;
    if (bodyBytes > budget.bodyBytesMax) drop("too_large");
    else if (budget.heldBytes > budget.heldBytesMax) drop("buffer_full");
    return open;
  }

  return {
    drop,

    request(headers, contentLength) {
      requestHeaders = headers;
      if (contentLength !== null && contentLength > budget.bodyBytesMax) drop("too_large");
    },

    requestChunk(chunk) {
      if (!open) return;
      requestBytes += chunk.length;
      if (hold(chunk.length, requestBytes)) requestChunks.push(chunk);
    },

    response(code, headers, contentLength) {
      status = code;
      responseHeaders = headers;
      if (contentLength !== null && contentLength > budget.bodyBytesMax) drop("too_large");
    },

    responseChunk(chunk) {
      if (!open) return;
      responseBytes += chunk.length;
      if (hold(chunk.length, responseBytes)) responseChunks.push(chunk);
    },

    handOver(primaryMs) {
      if (!open) return;
      tally.handOver(minute, {
        deploymentId,
        sequence,
        receivedAtMs,
        primaryMs,
        status,
        // The one coin decides the base sample; nothing else is captured yet.
        sample: "base",
        method,
        path,
        requestHeaders,
        responseHeaders,
        requestChunks,
        requestBytes,
        responseChunks,
        responseBytes,
      });
      end();
    },
  };
}
