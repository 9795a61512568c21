import { createHash } from "node:crypto";
import type { Capture } from "../capture/capture.js";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import type { UpstreamRequest } from "../upstream/client.js";
import type { Observation } from "../upstream/observation.js";

/** A control that fails so often in a row is left alone for the rest of the work: its timeouts must not add up. */
const failuresMax = 3;

/**
 * When a capture is replayed to the control: not at all, or before or after the candidate. Drawn from a hash of its id,
 * so the same at every delivery; `share` of all captures (0 to 1) are drawn, in either order as often.
 */
export function controlTurn(captureId: string, share: number): "none" | "before" | "after" {
  const digest = createHash("sha256").update(captureId).digest();
  if (digest.readUInt32BE(0) / 2 ** 32 >= share) return "none";
  return (digest[4]! & 1) === 0 ? "before" : "after";
}

/** The control of a work, and the share of its captures that are replayed to it. */
export interface Control {
  /** `none` for targeted captures, which would bias it, for steps of a sequence, and where the primary gave no answer to compare with. */
  turnOf(capture: Capture, primary: Observation): "none" | "before" | "after";
  /** null: nothing was asked of it. @throws the signal's reason */
  observe(request: UpstreamRequest): Promise<Observation | null>;
}

/**
 * @param send asks the control; null: there is none
 * @param stop aborted when the work is to end
 */
export function createControl(options: {
  send: ((request: UpstreamRequest) => Promise<Observation>) | null;
  share: number;
  stop: AbortSignal;
  log: Logger;
}): Control {
  const { send, share, stop, log } = options;
  let failuresLeft = failuresMax;
  return {
    turnOf({ id, sample, sequencePlace }, primary) {
      if (send === null || failuresLeft === 0 || sample !== "base" || !primary.ok) return "none";
      // Its state would be that of the steps that happened to be drawn.
      if (sequencePlace !== null) return "none";
      return controlTurn(id, share);
    },
    async observe(request) {
      try {
        const observation = await send!(request);
        failuresLeft = observation.ok ? failuresMax : failuresLeft - 1;
        return observation;
      } catch (error) {
        stop.throwIfAborted();
        // A secret of the control that is not set, say: no reason to give up what the candidate is due.
        log.warn({ error: messageOf(error) }, "control not asked");
        failuresLeft = 0;
        return null;
      }
    },
  };
}
